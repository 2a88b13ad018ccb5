import { existsSync, lutimesSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sha256 } from '../support/sha256.js';

/** Path below the repository → target of a symlink, or digest of a file. Directories come and go. */
export type Snapshot = ReadonlyMap<string, string>;

export function snapshot(repository: string, options: { readonly mayBeMissing?: boolean } = {}): Snapshot {
  const entries = new Map<string, string>();
  if (options.mayBeMissing && !existsSync(repository)) return entries;
  for (const entry of readdirSync(repository, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(repository, path);
    if (entry.isSymbolicLink()) entries.set(name, `-> ${readlinkSync(path)}`);
    else if (entry.isFile()) entries.set(name, sha256(readFileSync(path)));
    else if (!entry.isDirectory()) entries.set(name, 'neither file nor symlink');
  }
  return entries;
}

/** In words, how a repository differs from what it should be; undefined if it does not. */
export function difference(actual: Snapshot, expected: Snapshot): string | undefined {
  const missing = [...expected.keys()].filter((name) => !actual.has(name));
  const extra = [...actual.keys()].filter((name) => !expected.has(name));
  const other = [...actual].filter(([name, value]) => expected.has(name) && expected.get(name) !== value);
  const parts = [
    ['lacks', missing],
    ['has more', extra],
    ['has other', other.map(([name]) => name)],
  ] as const;
  const words = parts.filter(([, names]) => names.length > 0);
  if (words.length === 0) return undefined;
  return words.map(([word, names]) => `${word}: ${names.length} (${names.slice(0, 2).join(', ')})`).join('; ');
}

/** The references: what is tagged or named. Where they lead, by name. */
export function references(state: Snapshot): Map<string, string> {
  return new Map([...state].filter(([name]) => /^(?:streams|images)\/refs\//.test(name)));
}

/** {@link references} without a look at anything else. */
export function readReferences(repository: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const category of ['streams', 'images']) {
    const state = snapshot(join(repository, category, 'refs'), { mayBeMissing: true });
    for (const [name, target] of state) found.set(`${category}/refs/${name}`, target);
  }
  return found;
}

const KNOWN = /^(?:meta\.json|objects\/[0-9a-f]{2}\/[0-9a-f]+|(?:streams|images)\/.+|\.partial\/[^/]+)$/;
/** Temporary names: a command that is killed leaves them, and a gc removes them when they are old. */
const LEFTOVER = /^(?:objects\/)?\.[a-z]+-[^/]+$|^\.partial\/[^/]+$/;

/** Files that belong to nothing. */
export function strays(state: Snapshot, options: { readonly wasKilled?: boolean } = {}): string[] {
  return [...state.keys()].filter((name) => !KNOWN.test(name) && !(options.wasKilled && LEFTOVER.test(name)));
}

/** Makes what was left behind so old that the next gc has to remove it. */
export function ageLeftovers(repository: string): void {
  const longAgo = Date.now() / 1000 - 30 * 24 * 3600;
  for (const name of snapshot(repository).keys()) {
    if (LEFTOVER.test(name)) lutimesSync(join(repository, name), longAgo, longAgo);
  }
}
