import { ComposefsError, errorChain, errorCode } from '../errors.js';
import { escapeControls } from './terminal-text.js';

const NO_ROOM = 'the file system is full: make room on it (`cfsctl gc` removes what no tag needs), then try again';

/** What to do about errors of the system that can happen wherever something is written. */
const SYSTEM_HINTS: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', NO_ROOM],
  ['EDQUOT', NO_ROOM],
  ['EMFILE', 'raise the number of open files: ulimit -n'],
]);

/**
 * A run-time error for stderr (spec 70 A2): the outermost message, then its causes, numbered if there are several.
 * Our additions: the first hint of the chain, and with `debug` the stacks.
 */
export function renderError(error: unknown, options: { readonly debug?: boolean } = {}): string {
  const [outermost = 'unknown error', ...causes] = errorChain(error).map((message) =>
    escapeControls(message, { keepLines: true }),
  );
  let text = `Error: ${outermost}\n`;
  if (causes.length > 0)
    text += `\nCaused by:\n${causes.map((cause, i) => renderCause(cause, i, causes)).join('\n')}\n`;
  const hint = hintOf(error);
  if (hint !== undefined) text += `\nhint: ${hint}\n`;
  if (options.debug) text += `\n${stacksOf(error).join('\n')}\n`;
  return text;
}

function renderCause(message: string, index: number, causes: readonly string[]): string {
  const single = causes.length === 1;
  const prefix = single ? '    ' : `${String(index).padStart(5)}: `;
  const continuation = ' '.repeat(single ? 4 : 7);
  return prefix + message.split('\n').join(`\n${continuation}`);
}

function hintOf(error: unknown): string | undefined {
  for (const item of chainOf(error)) {
    if (item instanceof ComposefsError && item.hint !== undefined) return item.hint;
  }
  for (const item of chainOf(error)) {
    const hint = SYSTEM_HINTS.get(errorCode(item));
    if (hint !== undefined) return hint;
  }
  if (errorCode(error) === 'INTERNAL') return 'this looks like a bug of cfsctl: --debug before the command shows where';
  return undefined;
}

function stacksOf(error: unknown): string[] {
  return [...chainOf(error)].map((item) => (item instanceof Error ? (item.stack ?? item.message) : String(item)));
}

function* chainOf(error: unknown): Generator<unknown> {
  const seen = new Set<unknown>();
  for (let item = error; item !== undefined && item !== null && !seen.has(item); ) {
    seen.add(item);
    yield item;
    item = item instanceof Error ? item.cause : undefined;
  }
}
