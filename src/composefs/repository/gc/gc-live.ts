import { byteStringToText } from '../../../bytes/byte-string.js';
import { ComposefsError, withContext } from '../../../errors.js';
import { nameText } from '../../../fs/directory-entries.js';
import { withFd } from '../../../fs/files.js';
import { type ObjectId, objectIdFromPathname } from '../../fsverity/object-id.js';
import type { WalkedEntry } from '../directory/walk-tree.js';
import { type Category, listEntries, readLinkBytes, walkRefs } from '../names/category.js';
import { objectsForImage } from '../names/images.js';
import { isSplitStreamFile, openUnverifiedStream } from '../names/open-stream.js';
import type { RepositoryHost } from '../objects/host.js';

/** What must stay, as found before anything is deleted. */
export interface LiveSet {
  readonly objects: ReadonlySet<ObjectId>;
  readonly categories: Readonly<Record<Category, CollectedCategory>>;
}

/**
 * Every object that must stay: what references and `additionalRoots` reach (spec 10 §17.1, §17.2, §17.3 steps 1 to 4).
 *
 * Anything that cannot be read is an error. To go on would be to delete what it needs. Only where an object is gone
 * altogether there is nothing to read any more.
 *
 * @param additionalRoots names of entries in `images/` or `streams/`; unknown ones are ignored.
 */
export function findLiveObjects(repository: RepositoryHost, additionalRoots: readonly string[]): LiveSet {
  const objects = new Set<ObjectId>();
  const images = collectCategory(repository, 'images', new Set(additionalRoots));
  const streams = collectCategory(repository, 'streams', new Set(additionalRoots));
  markImages(repository, images, objects);
  markStreams(repository, streams, objects);
  return { objects, categories: { images, streams } };
}

function markImages(repository: RepositoryHost, { entries, roots }: CollectedCategory, live: Set<ObjectId>): void {
  for (const name of roots) {
    const id = entries.get(name);
    if (id === undefined || !repository.objects.has(id)) continue;
    live.add(id);
    for (const object of objectsForImage(repository, name)) live.add(object);
  }
}

/**
 * Streams name other streams and images by id: a graph, maybe with cycles, of any depth. A name is followed whether or
 * not the stream has an entry: a manifest keeps the stream of its config also after that got another stream. The
 * reference follows only those that have one, so this keeps all that it keeps (spec 10 §17.3 step 4).
 */
function markStreams(repository: RepositoryHost, { entries, roots }: CollectedCategory, live: Set<ObjectId>): void {
  const names = new Map<ObjectId, string>();
  for (const [name, id] of entries) names.set(id, name);

  const reached = new Set<ObjectId>();
  const pending: ObjectId[] = [];
  const reach = (id: ObjectId): void => {
    live.add(id);
    if (reached.has(id)) return;
    reached.add(id);
    if (names.has(id) || isSplitStream(repository, id)) pending.push(id);
  };
  for (const name of roots) {
    const id = entries.get(name);
    if (id !== undefined) reach(id);
  }
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (!repository.objects.has(id)) continue;
    const reader = openUnverifiedStream(repository, names.get(id) ?? id, id);
    try {
      for (const object of reader.objectRefs) live.add(object);
      for (const object of reader.namedRefs().values()) reach(object);
    } finally {
      reader.close();
    }
  }
}

/** False for images, which are named like streams, and where there is no such object. */
function isSplitStream(repository: RepositoryHost, id: ObjectId): boolean {
  const fd = repository.objects.openUnverified(id);
  if (fd === undefined) return false;
  return withFd(fd, isSplitStreamFile);
}

export interface CollectedCategory {
  /** All entries with the objects they link to, by name. */
  readonly entries: ReadonlyMap<string, ObjectId>;
  /** Names of the entries that references and additional roots name. */
  readonly roots: ReadonlySet<string>;
  /** References whose entry is there and its object is not, as paths in the repository. */
  readonly danglingRefs: readonly string[];
}

function collectCategory(
  repository: RepositoryHost,
  category: Category,
  additionalRoots: ReadonlySet<string>,
): CollectedCategory {
  const entries = new Map<string, ObjectId>();
  const roots = new Set<string>();
  const danglingRefs: string[] = [];
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
    const id = entries.get(name);
    if (id === undefined) throw danglingRef(category, ref, name);
    if (!repository.objects.has(id)) danglingRefs.push(ref);
    roots.add(name);
  }
  return { entries, roots, danglingRefs };
}

function readEntryId(repository: RepositoryHost, category: Category, name: string): ObjectId {
  const path = `${category}/${name}`;
  return withContext(`Parsing object ID from symlink ${path}`, () => {
    const text = readLinkBytes(repository.root, Buffer.from(path));
    if (text === undefined) throw new ComposefsError('ENOENT', `${repository.root.nameOf(path)} has vanished`);
    return objectIdFromPathname(repository.objects.algorithm, nameText(text));
  });
}

function* listRefTargets(repository: RepositoryHost, category: Category): Generator<{ ref: string; name: string }> {
  for (const entry of walkRefs(repository, category)) {
    const ref = `${category}/refs/${byteStringToText(entry.relativePath)}`;
    if (entry.kind !== 'symlink') {
      throw new ComposefsError('UNEXPECTED_FILE_TYPE', `Unexpected file type encountered: ${ref} is a ${entry.kind}`);
    }
    const name = refTarget(repository, entry);
    if (name !== undefined) yield { ref, name };
  }
}

/** The name of the entry that a reference names; undefined if it names none or is gone. */
export function refTarget({ root }: RepositoryHost, entry: WalkedEntry): string | undefined {
  const text = readLinkBytes(root, entry.path);
  return text === undefined ? undefined : lastComponent(nameText(text));
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
