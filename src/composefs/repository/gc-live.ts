import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { byteStringToText } from '../../bytes/byte-string.js';
import { ComposefsError, withContext } from '../../errors.js';
import { type ObjectId, objectIdFromPathname } from '../fsverity/object-id.js';
import { type Category, listEntries, readLinkBytes, walkRefs } from './category.js';
import { nameText } from './directory-entries.js';
import type { RepositoryHost } from './host.js';
import { objectsForImage } from './images.js';
import { openStream } from './open-stream.js';

/**
 * Every object that must stay: what references and `additionalRoots` reach (spec 10 §17.1, §17.2, §17.3 steps 1 to 4).
 *
 * Anything that cannot be read is an error. To go on would be to delete what it needs.
 *
 * @param additionalRoots names of entries in `images/` or `streams/`; unknown ones are ignored.
 */
export function findLiveObjects(repository: RepositoryHost, additionalRoots: readonly string[]): Set<ObjectId> {
  const live = new Set<ObjectId>();
  markImages(repository, new Set(additionalRoots), live);
  markStreams(repository, new Set(additionalRoots), live);
  return live;
}

function markImages(repository: RepositoryHost, additionalRoots: ReadonlySet<string>, live: Set<ObjectId>): void {
  const { entries, roots } = collectCategory(repository, 'images', additionalRoots);
  for (const name of roots) {
    const id = entries.get(name);
    if (id !== undefined) live.add(id);
    for (const object of objectsForImage(repository, name)) live.add(object);
  }
}

/** Streams name other streams and images by id: a graph, maybe with cycles, of any depth. */
function markStreams(repository: RepositoryHost, additionalRoots: ReadonlySet<string>, live: Set<ObjectId>): void {
  const { entries, roots } = collectCategory(repository, 'streams', additionalRoots);
  const names = new Map<ObjectId, string>();
  for (const [name, id] of entries) names.set(id, name);

  const reached = new Set(roots);
  const pending = [...roots];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const id = entries.get(name);
    if (id !== undefined) live.add(id);
    const reader = openStream(repository, name);
    try {
      for (const object of reader.objectRefs) live.add(object);
      for (const object of reader.namedRefs().values()) {
        live.add(object);
        const next = names.get(object);
        if (next === undefined || reached.has(next)) continue;
        reached.add(next);
        pending.push(next);
      }
    } finally {
      reader.close();
    }
  }
}

interface CollectedCategory {
  /** All entries with the objects they link to. */
  readonly entries: ReadonlyMap<string, ObjectId>;
  readonly roots: ReadonlySet<string>;
}

function collectCategory(
  repository: RepositoryHost,
  category: Category,
  additionalRoots: ReadonlySet<string>,
): CollectedCategory {
  const entries = new Map<string, ObjectId>();
  const roots = new Set<string>();
  for (const entry of listEntries(repository, category)) {
    if (entry.kind !== 'symlink') {
      throw new ComposefsError(
        'UNEXPECTED_FILE_TYPE',
        `category directory contains non-symlink: ${category}/${byteStringToText(entry.name)}`,
      );
    }
    const name = nameText(entry.name);
    entries.set(name, readEntryId(repository, category, name));
    if (additionalRoots.has(name)) roots.add(name);
  }
  for (const { ref, name } of listRefTargets(repository, category)) {
    // References may name an entry in another way than it is listed, but never one that is not there.
    if (!entries.has(name)) throw danglingRef(category, ref, name);
    roots.add(name);
  }
  return { entries, roots };
}

function readEntryId(repository: RepositoryHost, category: Category, name: string): ObjectId {
  const path = `${category}/${name}`;
  return withContext(`Parsing object ID from symlink ${path}`, () =>
    objectIdFromPathname(repository.objects.algorithm, readlinkSync(join(repository.path, path))),
  );
}

function* listRefTargets(repository: RepositoryHost, category: Category): Generator<{ ref: string; name: string }> {
  for (const entry of walkRefs(repository, category)) {
    const ref = `${category}/refs/${byteStringToText(entry.relativePath)}`;
    if (entry.kind !== 'symlink') {
      throw new ComposefsError('UNEXPECTED_FILE_TYPE', `Unexpected file type encountered: ${ref} is a ${entry.kind}`);
    }
    const name = lastComponent(nameText(readLinkBytes(entry.path)));
    if (name !== undefined) yield { ref, name };
  }
}

/** The name that a path ends with; undefined if it ends with `..` or has none. */
function lastComponent(path: string): string | undefined {
  const last = path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .at(-1);
  return last === '..' ? undefined : last;
}

function danglingRef(category: Category, ref: string, name: string): ComposefsError {
  return new ComposefsError('DANGLING_REF', `reference ${ref} names ${category}/${name}, which does not exist`, {
    hint: `remove ${ref}, or store again what it names, and collect then`,
  });
}
