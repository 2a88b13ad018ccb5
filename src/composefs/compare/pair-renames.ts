import { type ByteString, sliceBytes } from '../../bytes/byte-string.js';
import type { Turns } from '../../threads/turns.js';

interface Named {
  readonly path: ByteString;
}

/**
 * Pairs files that were added with files of the same content that were removed, each with one at most: first those of
 * the same name in another directory, then the others in the order of their paths.
 *
 * @param digest of the content; undefined for what cannot be paired.
 */
export async function pairRenames<T extends Named>(
  removed: readonly T[],
  added: readonly T[],
  turns: Turns,
  digest: (file: T) => string | undefined,
): Promise<Map<T, T>> {
  const origins = new Map<string, Map<ByteString, T[]>>();
  const pairs = new Map<T, T>();
  if (removed.length === 0 || added.length === 0) return pairs;
  for (const file of removed) {
    if (turns.isOver()) await turns.next();
    const key = digest(file);
    if (key === undefined) continue;
    const names = origins.get(key) ?? new Map<ByteString, T[]>();
    origins.set(key, names);
    const name = baseName(file.path);
    const files = names.get(name);
    if (files === undefined) names.set(name, [file]);
    else files.push(file);
  }
  const others: [T, Map<ByteString, T[]>][] = [];
  for (const file of added) {
    if (turns.isOver()) await turns.next();
    const names = origins.get(digest(file) ?? '');
    if (names === undefined) continue;
    const origin = takeFrom(names, baseName(file.path));
    if (origin === undefined) others.push([file, names]);
    else pairs.set(file, origin);
  }
  for (const [file, names] of others) {
    const [name] = names.keys();
    const origin = name === undefined ? undefined : takeFrom(names, name);
    if (origin !== undefined) pairs.set(file, origin);
  }
  return pairs;
}

function takeFrom<T>(names: Map<ByteString, T[]>, name: ByteString): T | undefined {
  const files = names.get(name);
  const file = files?.shift();
  if (files?.length === 0) names.delete(name);
  return file;
}

function baseName(path: ByteString): ByteString {
  return sliceBytes(path, path.lastIndexOf('/') + 1);
}
