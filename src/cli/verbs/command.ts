import {
  type AddHelpTextContext,
  type AddHelpTextPosition,
  Command,
  type Help,
  type HelpContext,
  type Option,
  type ParseOptionsResult,
} from 'commander';
import { CfsctlOption } from '../context/options.js';
import { UsageError } from '../context/usage-error.js';
import { verbElsewhere, verbsOf } from './elsewhere.js';
import { CfsctlHelp, usageLine } from './help.js';
import { similarNames } from './similar-names.js';

/**
 * A commander command whose usage errors are thrown as {@link UsageError}, with the texts of spec 70 A2.
 *
 * Commander calls a method for each kind of error; those are overridden here (they are not in its type declarations).
 */
export class CfsctlCommand extends Command {
  /** The options on the command line so far, in order. */
  readonly #given: CfsctlOption[] = [];
  #notes = '';

  /** What the help has after the options. */
  get notes(): string {
    return this.#notes;
  }
  /** Whether what follows the first argument is somebody else's. */
  passesThrough = false;

  /** A new subcommand. */
  verb(name: string, description: string): CfsctlCommand {
    const child = new CfsctlCommand(name).description(description).copyInheritedSettings(this);
    this.addCommand(child);
    return child;
  }

  override passThroughOptions(passThrough = true): this {
    this.passesThrough = passThrough;
    return super.passThroughOptions(passThrough);
  }

  override createHelp(): Help {
    return new CfsctlHelp();
  }

  override addHelpText(position: AddHelpTextPosition, text: string | ((context: AddHelpTextContext) => string)): this {
    if (position === 'after' && typeof text === 'string') this.#notes = text;
    return typeof text === 'string' ? super.addHelpText(position, text) : super.addHelpText(position, text);
  }

  addOptions(options: readonly CfsctlOption[]): this {
    for (const option of options) this.addOption(option);
    return this;
  }

  override addOption(option: Option): this {
    // Before commander's own listener, which stores the value.
    if (option instanceof CfsctlOption) this.on(`option:${option.name()}`, (text?: string) => this.#take(option, text));
    return super.addOption(option);
  }

  /** For each option the options that it needs, by attribute name. */
  requires(requirements: Readonly<Record<string, readonly string[]>>): this {
    return this.hook('preAction', () => {
      for (const [name, needs] of Object.entries(requirements)) {
        if (this.getOptionValue(name) === undefined) continue;
        const missing = needs.filter((need) => this.getOptionValue(need) === undefined);
        if (missing.length > 0) throw this.#missing(missing.map((need) => this.#optionOf(need)));
      }
    });
  }

  override parseOptions(args: string[]): ParseOptionsResult {
    this.#refuseOptionAsValue(args);
    return super.parseOptions(this.#withImpliedValues(args));
  }

  override help(context?: HelpContext | ((text: string) => string)): never {
    if (typeof context === 'function') return super.help(context);
    if (context?.error && this.#given.length > 0) {
      const names = this.commands.map((child) => child.name());
      throw new UsageError(`'${this.name()}' requires a subcommand but one was not provided`, {
        lines: [`[subcommands: ${names.join(', ')}]`],
        usage: usageLine(this),
      });
    }
    return super.help(context);
  }

  /** `--help` behind a name that is no subcommand is not the help of this command. */
  override outputHelp(context?: HelpContext | ((text: string) => string)): void {
    const [name] = this.args;
    const isWrong = this.commands.length > 0 && name !== undefined && !name.startsWith('-') && name !== 'help';
    if (isWrong && context === undefined) this.unknownCommand();
    if (typeof context === 'function') super.outputHelp(context);
    else super.outputHelp(context);
  }

  /** The subcommand below this command that the names lead to. */
  find(names: readonly string[]): CfsctlCommand {
    let current: CfsctlCommand = this;
    for (const name of names) {
      const child = current.commands.find(
        (candidate) => candidate.name() === name || candidate.aliases().includes(name),
      );
      if (!(child instanceof CfsctlCommand)) {
        throw new UsageError(`unrecognized subcommand '${name}'`, { usage: usageLine(current) });
      }
      current = child;
    }
    return current;
  }

  missingArgument(): never {
    const missing = this.registeredArguments.filter((argument, i) => argument.required && this.args[i] === undefined);
    throw this.#missing(missing.map((argument) => `<${argument.name()}>`));
  }

  /** An empty text names nothing: clap refuses it as a path. The command of `unshare` may have such arguments. */
  refuseEmptyArguments(): void {
    const index = this.passesThrough ? -1 : this.args.indexOf('');
    if (index < 0) return;
    const argument = this.registeredArguments[index] ?? this.registeredArguments.at(-1);
    const name = argument?.required ? `<${argument.name()}>` : `[${argument?.name()}]`;
    throw new UsageError(`a value is required for '${name}' but none was supplied`);
  }

  missingMandatoryOptionValue(option: CfsctlOption): never {
    throw this.#missing([option.display]);
  }

  optionMissingArgument(option: CfsctlOption): never {
    throw new UsageError(`a value is required for '${option.display}' but none was supplied`);
  }

  unknownOption(argument: string): never {
    const [name = argument, text] = argument.split(/=(.*)/s, 2);
    const known = this.options.find((option) => option.long === name || option.short === name);
    if (known !== undefined && text !== undefined) {
      throw this.#usageError(`unexpected value '${text}' for '${name}' found; no more were expected`);
    }
    const similar = similarNames(name, this.#optionNames());
    throw this.#usageError(
      `unexpected argument '${name}' found`,
      similar.length === 0 ? undefined : `a similar argument exists: '${similar[0]}'`,
    );
  }

  _excessArguments(received: readonly string[]): never {
    throw this.#usageError(`unexpected argument '${received[this.registeredArguments.length]}' found`);
  }

  unknownCommand(): never {
    const name = this.args[0] ?? '';
    throw this.#usageError(`unrecognized subcommand '${name}'`, this.#tipFor(name));
  }

  _conflictingOption(...pair: readonly [CfsctlOption, CfsctlOption]): never {
    const [first, second] = [...pair].sort((a, b) => this.#given.indexOf(a) - this.#given.indexOf(b));
    throw this.#usageError(`the argument '${first?.display}' cannot be used with '${second?.display}'`);
  }

  #tipFor(name: string): string | undefined {
    const elsewhere = verbElsewhere(this, name);
    if (elsewhere !== undefined) return `did you mean '${elsewhere}'?`;
    const similar = similarNames(name, verbsOf(this));
    if (similar.length === 0) return undefined;
    if (similar.length === 1) return `a similar subcommand exists: '${similar[0]}'`;
    return `some similar subcommands exist: ${similar.map((other) => `'${other}'`).join(', ')}`;
  }

  #take(option: CfsctlOption, text: string | undefined): void {
    if (option.required && text === '') this.optionMissingArgument(option);
    if (!option.repeatable && this.#given.includes(option)) {
      throw this.#usageError(`the argument '${option.display}' cannot be used multiple times`);
    }
    this.#given.push(option);
  }

  /** `--repo --user`: commander would take `--user` for the path. */
  #refuseOptionAsValue(args: readonly string[]): void {
    for (let i = 0; i < args.length; i++) {
      const argument = args[i] ?? '';
      if (argument === '--' || (this.commands.length > 0 && !argument.startsWith('-'))) return;
      const option = this.options.find(({ required, long, short }) => required && [long, short].includes(argument));
      if (!(option instanceof CfsctlOption) || option.impliedValue !== undefined) continue;
      i++;
      if (/^-./.test(args[i] ?? '')) this.optionMissingArgument(option);
    }
  }

  /** `--tls-verify` becomes `--tls-verify=true`, so that it does not take the next argument for its value. */
  #withImpliedValues(args: readonly string[]): string[] {
    const implied = new Map<string, string>();
    for (const option of this.options) {
      if (option instanceof CfsctlOption && option.impliedValue !== undefined && option.long !== undefined)
        implied.set(option.long, `${option.long}=${option.impliedValue}`);
    }
    const end = args.indexOf('--');
    return args.map((argument, i) => (end >= 0 && i >= end ? argument : (implied.get(argument) ?? argument)));
  }

  #optionNames(): string[] {
    return this.createHelp()
      .visibleOptions(this)
      .flatMap((option) => option.long ?? []);
  }

  #optionOf(attribute: string): string {
    const option = this.options.find((candidate) => candidate.attributeName() === attribute);
    return option instanceof CfsctlOption ? option.display : attribute;
  }

  #missing(names: readonly string[]): UsageError {
    return new UsageError('the following required arguments were not provided:', {
      lines: names,
      usage: usageLine(this),
    });
  }

  #usageError(message: string, tip?: string): UsageError {
    return new UsageError(message, { usage: usageLine(this), tip });
  }
}
