/** Command lines as `getopt_long(3)` of the GNU C library reads them. */

export interface OptionSyntax {
  /** As in C: a letter for each short option, followed by `:` if it takes a value. */
  readonly short?: string;
  /** Long options: whether each takes a value. */
  readonly long?: Readonly<Record<string, boolean>>;
}

/** An option that was found, by its letter or its full long name. */
export interface FoundOption {
  readonly kind: 'option';
  readonly name: string;
  /** Undefined for options that take none. */
  readonly value: string | undefined;
}

/** Something that is no option; `message` is what the C library prints after the program's name. */
export interface WrongOption {
  readonly kind: 'unknown' | 'missing-value';
  readonly message: string;
}

/**
 * The options of a command line in their order. Operands may stand among them and are collected; `--` ends the options,
 * and so does the first operand if `POSIXLY_CORRECT` is set.
 */
export class OptionScanner implements Iterable<FoundOption | WrongOption> {
  /** What is no option; complete when the scan has ended. */
  readonly operands: string[] = [];
  readonly #args: readonly string[];
  readonly #short: string;
  readonly #long: Readonly<Record<string, boolean>>;
  readonly #permutes: boolean;
  #next = 0;

  constructor(args: readonly string[], { short = '', long = {} }: OptionSyntax) {
    this.#args = args;
    this.#short = short;
    this.#long = long;
    this.#permutes = process.env['POSIXLY_CORRECT'] === undefined;
  }

  *[Symbol.iterator](): Generator<FoundOption | WrongOption> {
    for (let arg = this.#take(); arg !== undefined; arg = this.#take()) {
      if (arg === '--') break;
      if (arg === '-' || !arg.startsWith('-')) {
        this.operands.push(arg);
        if (!this.#permutes) break;
      } else if (arg.startsWith('--') && Object.keys(this.#long).length > 0) {
        yield this.#longOption(arg);
      } else {
        yield* this.#cluster(arg.slice(1));
      }
    }
    this.operands.push(...this.#args.slice(this.#next));
  }

  #take(): string | undefined {
    const arg = this.#args[this.#next];
    if (arg !== undefined) this.#next++;
    return arg;
  }

  #longOption(arg: string): FoundOption | WrongOption {
    const equals = arg.indexOf('=');
    const typed = arg.slice(2, equals < 0 ? undefined : equals);
    const matches = this.#match(typed);
    const [name] = matches;
    if (name === undefined) return { kind: 'unknown', message: `unrecognized option '${arg}'` };
    if (matches.length > 1) {
      const possibilities = matches.map((match) => ` '--${match}'`).join('');
      return { kind: 'unknown', message: `option '${arg}' is ambiguous; possibilities:${possibilities}` };
    }
    const takesValue = this.#long[name] === true;
    if (equals >= 0 && !takesValue) return { kind: 'unknown', message: `option '--${name}' doesn't allow an argument` };
    if (!takesValue) return { kind: 'option', name, value: undefined };
    const value = equals >= 0 ? arg.slice(equals + 1) : this.#take();
    if (value === undefined) return { kind: 'missing-value', message: `option '--${name}' requires an argument` };
    return { kind: 'option', name, value };
  }

  /** The options that a name, or the beginning of one, can mean. */
  #match(typed: string): readonly string[] {
    const names = Object.keys(this.#long);
    return names.includes(typed) ? [typed] : names.filter((name) => name.startsWith(typed));
  }

  /** `-abVALUE`, `-ab VALUE` */
  *#cluster(letters: string): Generator<FoundOption | WrongOption> {
    for (const [index, letter] of [...letters].entries()) {
      const at = letter === ':' ? -1 : this.#short.indexOf(letter);
      if (at < 0) {
        yield { kind: 'unknown', message: `invalid option -- '${letter}'` };
      } else if (this.#short[at + 1] !== ':') {
        yield { kind: 'option', name: letter, value: undefined };
      } else {
        const rest = [...letters].slice(index + 1).join('');
        const value = rest === '' ? this.#take() : rest;
        if (value === undefined) {
          yield { kind: 'missing-value', message: `option requires an argument -- '${letter}'` };
        } else {
          yield { kind: 'option', name: letter, value };
        }
        return;
      }
    }
  }
}
