import { ComposefsError, causes, errorChain, errorCode } from '../../errors.js';

const NO_ROOM = 'the file system is full: make room on it (`cfsctl gc` removes what no tag needs), then try again';

/** What to do about errors of the system that can happen wherever something is written. */
const SYSTEM_HINTS: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', NO_ROOM],
  ['EDQUOT', NO_ROOM],
  ['EMFILE', 'raise the number of open files: ulimit -n'],
]);

/**
 * A run-time error for stderr (spec 70 A2), in lines: the outermost message, then its causes, numbered if there are
 * several. Our additions: the first hint of the chain, and with `debug` the stacks. A message is one line: what is in it
 * may come from others, who could put a hint of their own below it.
 */
export function renderError(error: unknown, options: { readonly debug?: boolean } = {}): string[] {
  const [outermost = 'unknown error', ...reasons] = errorChain(error);
  const lines = [`Error: ${outermost}`];
  if (reasons.length > 0) lines.push('', 'Caused by:', ...reasons.map((reason, i) => renderCause(reason, i, reasons)));
  const hint = hintOf(error);
  if (hint !== undefined) lines.push('', `hint: ${hint}`);
  if (options.debug) lines.push('', ...[...causes(error)].flatMap(stackOf));
  return lines;
}

function renderCause(message: string, index: number, reasons: readonly string[]): string {
  return `${reasons.length === 1 ? '    ' : `${String(index).padStart(5)}: `}${message}`;
}

function hintOf(error: unknown): string | undefined {
  for (const item of causes(error)) {
    if (item instanceof ComposefsError && item.hint !== undefined) return item.hint;
  }
  for (const item of causes(error)) {
    const hint = SYSTEM_HINTS.get(errorCode(item));
    if (hint !== undefined) return hint;
  }
  if (errorCode(error) === 'INTERNAL') return 'this looks like a bug of cfsctl: --debug before the command shows where';
  return undefined;
}

/** The frames are what is left of the text without the message. */
function stackOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  const title = `${error.name}: ${error.message}`;
  const stack = error.stack ?? '';
  const frames = (stack.startsWith(title) ? stack.slice(title.length) : stack).split('\n');
  return [title, ...frames.filter((frame) => /^ +at /.test(frame))];
}
