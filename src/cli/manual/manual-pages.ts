import type { Command, Option } from 'commander';
import { CfsctlCommand } from '../verbs/command.js';
import { usageLine } from '../verbs/help.js';

/** A page for man(1). */
export interface ManualPage {
  /** `cfsctl-oci-pull.1` */
  readonly file: string;
  /** roff, with the macros of man(7). */
  readonly text: string;
}

/** One page for the program, and one for each verb, made of what `--help` says. */
export function manualPages(program: Command, version: string): ManualPage[] {
  const pages: ManualPage[] = [];
  const pending = [program];
  for (let command = pending.shift(); command !== undefined; command = pending.shift()) {
    const verbs = verbsOf(command);
    pending.push(...verbs);
    pages.push({ file: `${pageName(command)}.1`, text: pageText(command, verbs, version) });
  }
  return pages;
}

function verbsOf(command: Command): Command[] {
  return [...command.createHelp().visibleCommands(command)].filter((child) => child.name() !== 'help');
}

function pageName(command: Command): string {
  const names: string[] = [];
  for (let each: Command | null = command; each !== null; each = each.parent) names.unshift(each.name());
  return names.join('-');
}

function pageText(command: Command, verbs: readonly Command[], version: string): string {
  const help = command.createHelp();
  const name = pageName(command);
  const root = rootOf(command);
  const isRoot = command === root;
  const description = command.description();
  const lines = [
    `.TH ${quoted(name.toUpperCase())} 1 "" ${quoted(`composefs-oci ${version}`)} "composefs-oci"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(firstLower(description))}`,
    '.SH SYNOPSIS',
    `.B ${roff(usageLine(command))}`,
    '.SH DESCRIPTION',
    roff(`${description}.`),
    ...section(
      'COMMANDS',
      verbs.map((child) => [`.BR ${roff(pageName(child))} (1)`, child.description()]),
    ),
    ...section(
      'ARGUMENTS',
      command.registeredArguments.map((each) => [`.I ${roff(each.name())}`, each.description]),
    ),
    ...section(
      isRoot ? 'GLOBAL OPTIONS' : 'OPTIONS',
      help.visibleOptions(command).map((option) => [`.B ${roff(option.flags)}`, optionText(option)]),
    ),
    ...(isRoot ? [] : ['.PP', `The global options of`, `.BR ${roff(root.name())} (1)`, 'may be given as well.']),
    ...notesSection(command),
    '.SH EXIT STATUS',
    roff('0: success. 1: failure. 2: wrong usage. 130, 143: ended by a signal.'),
    '.SH SEE ALSO',
    ...seeAlso(command, root),
  ];
  return `${lines.join('\n')}\n`;
}

function rootOf(command: Command): Command {
  let root = command;
  while (root.parent !== null) root = root.parent;
  return root;
}

/** What the help has after the options: examples, or something else, as it is. */
function notesSection(command: Command): string[] {
  const after = command instanceof CfsctlCommand ? command.notes.trim() : '';
  if (after === '') return [];
  const [first = '', ...rest] = after.split('\n');
  const [, title] = /^([A-Z][a-z ]+):$/.exec(first) ?? [];
  const text = title === undefined ? after : rest.join('\n');
  return [`.SH ${(title ?? 'NOTES').toUpperCase()}`, '.nf', roff(text), '.fi'];
}

function optionText(option: Option): string {
  const notes: string[] = [];
  const standard = option.defaultValueDescription ?? option.defaultValue;
  if (standard !== undefined) notes.push(`Default: ${String(standard)}.`);
  if (option.argChoices !== undefined) notes.push(`Possible values: ${option.argChoices.join(', ')}.`);
  return [`${option.description}.`, ...notes].join(' ');
}

function section(title: string, entries: readonly (readonly [term: string, text: string])[]): string[] {
  if (entries.length === 0) return [];
  return [`.SH ${title}`, ...entries.flatMap(([term, text]) => ['.TP', term, roff(text)])];
}

function seeAlso(command: Command, root: Command): string[] {
  const others = command === root ? [] : [command.parent ?? root, root];
  const names = [...new Set(others)].map((each) => `.BR ${roff(pageName(each))} (1)`);
  const tools = ['mkcomposefs', 'composefs-info', 'mount.composefs'].map((tool) => `.BR ${roff(tool)} (1)`);
  const all = command === root ? tools : names;
  return all.map((line, index) => (index < all.length - 1 ? `${line},` : line));
}

function firstLower(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}

/** So that roff takes nothing in it for a request or an escape. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('`', '\\`')
    .replaceAll('…', '...')
    .replaceAll(/^([.'])/gm, '\\&$1');
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
