import { ComposefsError } from '../../../errors.js';
import { leadsOutError } from './open-error.js';
import type { RelativePath, RepositoryRoot } from './root.js';

/** A reference leads to an entry, and that to an object. */
const MAX_LINKS = 8;

/**
 * What a link in `streams/` or `images/` leads to, over other such links. Directories must not be links.
 *
 * @returns a path in the repository, to something that is no symlink; undefined if the link leads nowhere.
 * @throws ComposefsError `UNSAFE_PATH` if it leads out of the repository, `ELOOP` after too many links.
 */
export function followLinks(root: RepositoryRoot, path: RelativePath): Buffer | undefined {
  let current: Buffer = Buffer.from(path);
  for (let links = 0; links <= MAX_LINKS; links++) {
    const stat = root.lstat(current);
    if (stat === undefined) return undefined;
    if (!stat.isSymbolicLink()) return current;
    const text = root.readLink(current);
    if (text === undefined) return undefined;
    const target = join(current, text);
    if (target === undefined) throw leadsOutError(root.nameOf(current), text.toString());
    current = target;
  }
  throw new ComposefsError('ELOOP', `${root.nameOf(path)} leads over more than ${MAX_LINKS} links`);
}

/**
 * Opens the file that a link in `streams/` or `images/` leads to.
 *
 * @throws what {@link followLinks} and {@link RepositoryRoot.openFile} throw
 */
export function openLinked(root: RepositoryRoot, path: string): number {
  try {
    // An entry leads to an object, which is no link: to look what they are before they are used would be half of the work.
    const text = root.readLink(path);
    const target = text === undefined ? undefined : join(Buffer.from(path), text);
    if (target !== undefined) return root.openFile(target);
  } catch {
    // It is something else, or leads nowhere.
  }
  return root.openFile(followLinks(root, path) ?? path);
}

/** The target of a link by its text; undefined if that is outside. Nothing on the way is a link, so `..` is the parent. */
function join(link: Buffer, text: Buffer): Buffer | undefined {
  if (text[0] === 0x2f) return undefined;
  const path = link.toString('latin1').split('/').slice(0, -1);
  for (const component of text.toString('latin1').split('/')) {
    if (component === '' || component === '.') continue;
    if (component !== '..') path.push(component);
    else if (path.pop() === undefined) return undefined;
  }
  return path.length === 0 ? undefined : Buffer.from(path.join('/'), 'latin1');
}
