import { ComposefsError } from '../../errors.js';

export interface UsageErrorDetails {
  /** Lines below the message, such as the missing arguments or the possible values. */
  readonly lines?: readonly string[];
  /** What may help: a similar name. */
  readonly tip?: string | undefined;
  /** `cfsctl gc [OPTIONS]`; left out where the syntax is not what is wrong. */
  readonly usage?: string;
}

/** A command line that cannot be understood: exit status 2, texts of spec 70 A2. */
export class UsageError extends ComposefsError {
  readonly lines: readonly string[];
  readonly tip: string | undefined;
  readonly usage: string | undefined;

  constructor(message: string, details: UsageErrorDetails = {}) {
    super('USAGE', message);
    this.lines = details.lines ?? [];
    this.tip = details.tip;
    this.usage = details.usage;
  }
}

/** The lines for stderr. */
export function renderUsageError(error: UsageError): string[] {
  const lines = [`error: ${error.message}`, ...error.lines.map((line) => `  ${line}`)];
  if (error.tip !== undefined) lines.push('', `  tip: ${error.tip}`);
  if (error.usage !== undefined) lines.push('', `Usage: ${error.usage}`);
  return [...lines, '', "For more information, try '--help'."];
}

/** The value of an option or argument (`--algorithm <ALGORITHM>`, `<LAYER>`) that its parser refuses. */
export function parseArgumentValue<T>(name: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof ComposefsError)) throw error;
    throw new UsageError(`invalid value '${text}' for '${name}': ${error.message}`, { tip: error.hint });
  }
}
