/** One challenge of a `WWW-Authenticate` header (RFC 9110 §11.6.1). */
export interface Challenge {
  /** Lower-case: `bearer`, `basic`. */
  readonly scheme: string;
  /** By lower-case name. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
/** Data without a name, as `Negotiate` has it. A parameter's `=` is followed by its value, that of this by nothing. */
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const SPACE = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;

/**
 * Reads one or several challenges; several headers are joined with commas. Of text that is not as it should be, what
 * comes before the fault counts.
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let position = 0;
  const accept = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = position;
    const match = pattern.exec(header);
    if (match === null) return undefined;
    position = pattern.lastIndex;
    return match;
  };
  for (;;) {
    accept(SEPARATORS);
    const name = accept(TOKEN)?.[0].toLowerCase();
    if (name === undefined) return challenges;
    const afterName = position;
    accept(SPACE);
    const current = challenges.at(-1);
    if (current !== undefined && header[position] === '=') {
      position++;
      accept(SPACE);
      const quoted = accept(QUOTED)?.[1]?.replace(/\\(.)/g, '$1');
      const value = quoted ?? accept(TOKEN)?.[0];
      if (value === undefined) return challenges;
      // The first one counts, as elsewhere.
      if (!current.parameters.has(name)) current.parameters.set(name, value);
      continue;
    }
    challenges.push({ scheme: name, parameters: new Map() });
    if (position > afterName) accept(TOKEN68);
  }
}
