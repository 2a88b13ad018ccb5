import type { Command, Option } from 'commander';
import { CfsctlOption } from '../context/options.js';
import type { Candidate, ValueKind } from './value-kind.js';
import { argumentKind, optionKind } from './value-kind.js';

/** What may stand where the cursor is. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  /** That the shell completes names of files itself. */
  readonly paths?: 'files' | 'directories';
}

/** What the command line says before the cursor. */
export interface Before {
  /** The values of options with a value, by long name; the last one of each. */
  readonly options: ReadonlyMap<string, string>;
  /** The long names of the options that are there. */
  readonly names: ReadonlySet<string>;
}

/** Finds the values of a kind that begin with `prefix`, or may lead there. */
export type FindValues = (kind: ValueKind, prefix: string, before: Before) => Completion;

/**
 * Completes the last of some words, which may be empty.
 *
 * @param words those after the name of the program.
 */
export function complete(program: Command, words: readonly string[], find: FindValues): Completion {
  const line = readLine(program, words.slice(0, -1));
  const current = words.at(-1) ?? '';
  if (line.wanting !== undefined) return optionValues(line.wanting, current, '', line, find);
  if (!line.onlyOperands && current.startsWith('-')) {
    const [name = '', value] = splitOption(current);
    const option = optionsOf(line.command).find(({ long, short }) => long === name || short === name);
    if (value === undefined) return matching(optionNames(line), current);
    return option === undefined ? NOTHING : optionValues(option, value, `${name}=`, line, find);
  }
  if (line.command.commands.length > 0 && line.operands === 0) return matching(verbs(line.command), current);
  const arguments_ = line.command.registeredArguments;
  const argument = arguments_[line.operands] ?? (arguments_.at(-1)?.variadic ? arguments_.at(-1) : undefined);
  if (argument === undefined) return NOTHING;
  const kind = argumentKind(pathOf(line.command), argument.name());
  if (kind === 'verb') return matching(verbs(verbGroup(line)), current);
  return find(kind, current, line);
}

const NOTHING: Completion = { candidates: [] };

interface Line extends Before {
  readonly command: Command;
  readonly operandWords: readonly string[];
  readonly operands: number;
  readonly onlyOperands: boolean;
  readonly given: ReadonlySet<Option>;
  /** An option whose value is next. */
  readonly wanting: Option | undefined;
}

function readLine(program: Command, words: readonly string[]): Line {
  let command = program;
  let onlyOperands = false;
  let wanting: Option | undefined;
  const operandWords: string[] = [];
  const given = new Set<Option>();
  const options = new Map<string, string>();
  for (const word of words) {
    if (wanting !== undefined) {
      options.set(wanting.long ?? '', word);
      wanting = undefined;
    } else if (!onlyOperands && word === '--') {
      onlyOperands = true;
    } else if (!onlyOperands && /^-./.test(word)) {
      const [name = '', value] = splitOption(word);
      const option = optionsOf(command).find(({ long, short }) => long === name || short === name);
      if (option === undefined) continue;
      given.add(option);
      if (value !== undefined) options.set(option.long ?? '', value);
      else if (takesNextWord(option)) wanting = option;
    } else {
      const child = operandWords.length > 0 ? undefined : command.commands.find((each) => isNamed(each, word));
      if (child === undefined) operandWords.push(word);
      else command = child;
    }
  }
  const names = new Set([...given].flatMap(({ long }) => long ?? []));
  return { command, operandWords, operands: operandWords.length, onlyOperands, given, wanting, options, names };
}

function isNamed(command: Command, name: string): boolean {
  return command.name() === name || command.aliases().includes(name);
}

function takesNextWord(option: Option): boolean {
  return option.required && !(option instanceof CfsctlOption && option.impliedValue !== undefined);
}

/** `--name=value` */
function splitOption(word: string): [name: string, value: string | undefined] {
  const equals = word.startsWith('--') ? word.indexOf('=') : -1;
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}

/** The command's own, and those of the commands above it, which may stand anywhere. */
function optionsOf(command: Command): Option[] {
  const options: Option[] = [];
  for (let each: Command | null = command; each !== null; each = each.parent) {
    options.push(...each.createHelp().visibleOptions(each));
  }
  return options;
}

function optionNames({ command, given }: Line): Candidate[] {
  const names = new Map<string, Candidate>();
  for (const option of optionsOf(command)) {
    const isOver = given.has(option) && !(option instanceof CfsctlOption && option.repeatable);
    if (option.long === undefined || isOver || names.has(option.long)) continue;
    names.set(option.long, { value: option.long, description: option.description });
  }
  return [...names.values()];
}

function optionValues(option: Option, value: string, before: string, line: Line, find: FindValues): Completion {
  if (option.argChoices !== undefined) {
    return matching(
      option.argChoices.map((choice) => ({ value: before + choice })),
      before + value,
    );
  }
  const { candidates, paths } = find(optionKind(option.flags), value, line);
  const prefixed = candidates.map(({ value: text, ...rest }) => ({ ...rest, value: before + text }));
  // After `--name=` a shell does not know where the path begins.
  return paths === undefined || before === ''
    ? { candidates: prefixed, ...(paths && { paths }) }
    : { candidates: prefixed };
}

function verbs(group: Command): Candidate[] {
  return group
    .createHelp()
    .visibleCommands(group)
    .map((child) => ({ value: child.name(), description: child.description() }));
}

/** What `help` is asked about: the verbs of the group that the words before lead to. */
function verbGroup({ command, operandWords }: Line): Command {
  let group = command.parent ?? command;
  for (const word of operandWords) group = group.commands.find((each) => isNamed(each, word)) ?? group;
  return group;
}

/** `oci pull` */
function pathOf(command: Command): string {
  const names: string[] = [];
  for (let each: Command | null = command; each !== null && each.parent !== null; each = each.parent) {
    names.unshift(each.name());
  }
  return names.join(' ');
}

function matching(candidates: readonly Candidate[], prefix: string): Completion {
  return { candidates: candidates.filter(({ value }) => value.startsWith(prefix)) };
}
