import { ComposefsError } from '../../../errors.js';
import { tryNameText } from '../../../fs/directory-entries.js';
import type { RepositoryHost } from '../objects/host.js';
import { type Category, readLinkBytes, walkRefs } from './category.js';
import { REFS, validateRefPrefix } from './names.js';

/** A reference: its name below the prefix, and the text of the link. */
export type RefEntry = readonly [name: string, linkText: string];

/**
 * The references below `<category>/refs/<prefix>` by name (spec 10 §14); none if there is no such directory. What the
 * last component of the link text names is the entry. Anything but symlinks with UTF-8 names and texts is left out.
 *
 * @throws ENOTDIR if `prefix` is a reference itself.
 */
export function listRefs(repository: RepositoryHost, category: Category, prefix: string): RefEntry[] {
  const directory = validateRefPrefix(prefix);
  const path = `${category}/${REFS}/${directory}`;
  if (directory !== '' && repository.root.lstat(path)?.isSymbolicLink() === true) {
    throw new ComposefsError(
      'ENOTDIR',
      `${repository.root.nameOf(path)} is a reference, not a directory of references`,
    );
  }
  const refs: RefEntry[] = [];
  for (const entry of walkRefs(repository, category, directory)) {
    if (entry.kind !== 'symlink') continue;
    const name = tryNameText(entry.relativePath);
    const bytes = readLinkBytes(repository.root, entry.path);
    const text = bytes === undefined ? undefined : tryNameText(bytes);
    if (name !== undefined && text !== undefined) refs.push([name, text]);
  }
  return refs.sort(([a], [b]) => (a < b ? -1 : 1));
}
