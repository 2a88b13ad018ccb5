/** The kernel command line as text: taking it apart, quoting, adding and removing arguments (spec 50 §7.1). */

import { ComposefsError } from '../../errors.js';

/** What the reference takes for the end of an argument. The kernel takes VT as well. */
const ASCII_SPACE = /[ \t\n\f\r]/;

/** One argument as the kernel reads it: without quotes. */
export interface KernelArgument {
  readonly key: string;
  /** Undefined without `=`. */
  readonly value: string | undefined;
}

/**
 * The segments between white space. Inside of double quotes white space belongs to the segment, and the quotes stay in
 * it; there are no escapes, and a quote that is not closed lasts to the end. Successive spaces give empty segments.
 */
export function splitCmdline(cmdline: string): string[] {
  const segments: string[] = [];
  let quoted = false;
  let start = 0;
  for (let i = 0; i < cmdline.length; i++) {
    const character = cmdline.charAt(i);
    if (character === '"') quoted = !quoted;
    else if (!quoted && ASCII_SPACE.test(character)) {
      segments.push(cmdline.slice(start, i));
      start = i + 1;
    }
  }
  segments.push(cmdline.slice(start));
  return segments;
}

/** What follows `prefix` in the first segment that begins with it, with all quotes; undefined if there is none. */
export function getCmdlineValue(cmdline: string, prefix: string): string | undefined {
  return splitCmdline(cmdline)
    .find((segment) => segment.startsWith(prefix))
    ?.slice(prefix.length);
}

/**
 * The arguments as the kernel's `next_arg` reads them: quotes around a value, or around the whole argument, are taken
 * off.
 */
export function parseCmdline(cmdline: string): KernelArgument[] {
  return splitCmdline(cmdline)
    .filter((segment) => segment !== '')
    .map(parseArgument);
}

/** Prints arguments so that {@link parseCmdline} reads the same. @throws ComposefsError `INVALID_KERNEL_ARGUMENT` */
export function formatCmdline(args: readonly KernelArgument[]): string {
  return args.map(({ key, value }) => quoteArgument(key, value)).join(' ');
}

/**
 * One argument as it stands on a command line, with quotes where white space demands them.
 *
 * @throws ComposefsError `INVALID_KERNEL_ARGUMENT` for what no quotes can express: a double quote inside, `=`, white
 *   space or nothing as a key, control characters.
 */
export function quoteArgument(key: string, value?: string): string {
  if (key === '' || /[="\s]/.test(key)) throw invalidArgument(key, 'is no name of a kernel argument');
  checkArgument(key);
  if (value === undefined) return key;
  checkArgument(value);
  if (value.includes('"')) throw invalidArgument(value, 'contains a double quote, which the kernel cannot take');
  return /\s/.test(value) ? `${key}="${value}"` : `${key}=${value}`;
}

/** The command line without the segments that are `key` or begin with `key=`. */
export function removeArgument(cmdline: string, key: string): string {
  const isOther = (segment: string) => segment !== key && !segment.startsWith(`${key}=`);
  const segments = splitCmdline(cmdline);
  return segments.every(isOther) ? cmdline : segments.filter(isOther).join(' ');
}

/**
 * The command line with `argument` in place of the first segment that begins with the argument's key and `=`, or with
 * the whole argument if it has no `=` (so `rw` replaces `rwfoo=1`); at the end if there is none.
 */
export function addArgument(cmdline: string, argument: string): string {
  const key = argument.slice(0, argument.indexOf('=') + 1) || argument;
  let start = 0;
  for (const segment of splitCmdline(cmdline)) {
    if (segment.startsWith(key)) {
      return cmdline.slice(0, start) + argument + cmdline.slice(start + segment.length);
    }
    start += segment.length + 1;
  }
  return `${cmdline} ${argument}`;
}

/**
 * Fails for what would end the line that a kernel argument stands on.
 *
 * @throws ComposefsError `INVALID_KERNEL_ARGUMENT`
 */
export function checkArgument(argument: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\0-\x08\n-\x1f\x7f]/.test(argument)) throw invalidArgument(argument, 'contains a control character');
}

function parseArgument(segment: string): KernelArgument {
  const whole = segment.startsWith('"') ? unquote(segment) : segment;
  const equals = whole.indexOf('=');
  if (equals < 0) return { key: whole, value: undefined };
  return { key: whole.slice(0, equals), value: unquote(whole.slice(equals + 1)) };
}

/** Without a quote at the beginning, and one at the end if there was one at the beginning. */
function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  return text.length > 1 && text.endsWith('"') ? text.slice(1, -1) : text.slice(1);
}

function invalidArgument(argument: string, why: string): ComposefsError {
  return new ComposefsError('INVALID_KERNEL_ARGUMENT', `${JSON.stringify(argument)} ${why}`);
}
