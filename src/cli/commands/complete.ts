import { homedir } from 'node:os';
import type { Command } from 'commander';
import { complete } from '../completion/complete.js';
import { findValues } from '../completion/find-values.js';
import { shellWords } from '../completion/shell-words.js';
import type { Context } from '../context/context.js';
import { repositoryPath } from '../context/open-repository.js';

export interface CompleteOptions {
  /** A whole command line up to the cursor, as it was typed. */
  readonly line?: string;
}

/** What no shell could insert, or would split. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is left out
const UNUSABLE = /[\x00-\x1f\x7f]/;

/** Answers a completion script: see `completionScript`. */
export async function completeWords(
  { output }: Context,
  program: Command,
  given: readonly string[],
  { line }: CompleteOptions,
): Promise<void> {
  const words = line === undefined ? given : shellWords(line).slice(1);
  const completion = complete(program, words, (kind, prefix, { options, names }) => {
    const repo = options.get('--repo')?.replace(/^~(?=\/|$)/, homedir());
    const globals = { ...(repo !== undefined && { repo }), user: names.has('--user'), system: names.has('--system') };
    return findValues(kind, prefix, repositoryPath(globals));
  });
  const candidates = completion.candidates.filter(({ value }) => !UNUSABLE.test(value));
  const isOpen = candidates.some(({ value }) => /[/:=]$/.test(value));
  const directive = completion.paths ?? (isOpen ? 'nospace' : 'space');
  const lines = completion.paths === undefined ? candidates.map(render) : [];
  const word = words.at(-1) ?? '';
  await output.bytes([Buffer.from([directive, UNUSABLE.test(word) ? '' : word, ...lines, ''].join('\n'))]);
}

function render({ value, description }: { readonly value: string; readonly description?: string }): string {
  return description === undefined ? value : `${value}\t${description}`;
}
