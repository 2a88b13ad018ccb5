import { byteStringToText } from '../../../bytes/byte-string.js';
import { ComposefsError, withContext } from '../../../errors.js';
import { nameText } from '../../../fs/directory-entries.js';
import type { Steps } from '../../../threads/turns.js';
import { type ObjectId, objectIdFromPathname } from '../../fsverity/object-id.js';
import type { WalkedEntry } from '../directory/walk-tree.js';
import { CATEGORIES, type Category, listEntries, readLinkBytes, walkRefs } from '../names/category.js';
import type { RepositoryHost } from '../objects/host.js';

/** A reference and the entry that it names. */
export interface CollectedRef {
  /** A path in the repository; for people and messages where it is not UTF-8. */
  readonly ref: string;
  /** The name of the entry. */
  readonly name: string;
}

export interface CollectedCategory {
  /** All entries with the objects they link to, by name. */
  readonly entries: ReadonlyMap<string, ObjectId>;
  /** Names of the entries that references and additional roots name. */
  readonly roots: ReadonlySet<string>;
  readonly refs: readonly CollectedRef[];
  /** References whose entry is there and its object is not, as paths in the repository. */
  readonly danglingRefs: readonly string[];
}

/**
 * Reads what is in a category, and what its references name.
 *
 * @param additionalRoots names of further entries that are roots; unknown ones are ignored.
 * @throws ComposefsError `UNEXPECTED_FILE_TYPE`, `DANGLING_REF`
 */
export function* collectCategorySteps(
  repository: RepositoryHost,
  category: Category,
  additionalRoots: ReadonlySet<string>,
): Steps<CollectedCategory> {
  const entries = new Map<string, ObjectId>();
  const roots = new Set<string>();
  const refs: CollectedRef[] = [];
  const danglingRefs: string[] = [];
  for (const entry of listEntries(repository, category)) {
    yield;
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
    yield;
    // References may name an entry in another way than it is listed, but never one that is not there.
    const id = entries.get(name);
    if (id === undefined) throw danglingRef(category, ref, name);
    if (!repository.objects.has(id)) danglingRefs.push(ref);
    roots.add(name);
    refs.push({ ref, name });
  }
  return { entries, roots, refs, danglingRefs };
}

/**
 * The names of the entries that were made, or got another target, since a moment.
 *
 * @param since milliseconds since the epoch.
 */
export function entriesSince(repository: RepositoryHost, since: number): string[] {
  return CATEGORIES.flatMap((category) =>
    listEntries(repository, category).flatMap(({ name, path }) => {
      const changed = repository.root.lstat(path)?.ctimeMs ?? 0;
      return changed >= since ? nameText(name) : [];
    }),
  );
}

function readEntryId(repository: RepositoryHost, category: Category, name: string): ObjectId {
  const path = `${category}/${name}`;
  return withContext(`Parsing object ID from symlink ${path}`, () => {
    const text = readLinkBytes(repository.root, Buffer.from(path));
    if (text === undefined) throw new ComposefsError('ENOENT', `${repository.root.nameOf(path)} has vanished`);
    return objectIdFromPathname(repository.objects.algorithm, nameText(text));
  });
}

function* listRefTargets(repository: RepositoryHost, category: Category): Generator<CollectedRef> {
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
