/** Giving the inodes of a tree the SELinux labels of a policy (spec 50 §3.6, §3.7). */

import { type ByteString, byteStringFromText, concatBytes, sliceBytes } from '../../bytes/byte-string.js';
import { Directory, Leaf, type LeafContent } from '../../composefs/tree/inode.js';
import type { ObjectSource } from '../../composefs/tree/read-file.js';
import { NO_XATTRS, type Stat, type Xattrs } from '../../composefs/tree/stat.js';
import { forEachStat } from '../../composefs/tree/walk.js';
import { withContext } from '../../errors.js';
import { type Policy, type PolicyPath, readPolicy, type TypeCode } from './policy.js';
import { type PolicySource, policyOfDirectory, policyOfTree } from './policy-source.js';

/** The xattr that has the SELinux label of an inode. */
export const XATTR_SECURITY_SELINUX: ByteString = byteStringFromText('security.selinux');

const SLASH = byteStringFromText('/');

const TYPE_CODES: Readonly<Record<LeafContent['type'], TypeCode>> = {
  regular: '-',
  symlink: 'l',
  fifo: 'p',
  socket: 's',
  'block-device': 'b',
  'character-device': 'c',
};

/**
 * Labels a whole tree by the policy in it, or takes all labels away if it has none.
 *
 * @param objects where the content of the policy's files is.
 * @returns whether there is a policy.
 * @throws ComposefsError `INVALID_SELINUX_POLICY`, `UNSUPPORTED_SELINUX_PATTERN`, `SELINUX_POLICY_TOO_LARGE`,
 *   `SELINUX_POLICY_TOO_COMPLEX`, `FILE_TOO_LARGE`; ImageError where something else is than a directory or file of the
 *   policy.
 */
export function selabel(root: Directory, objects: ObjectSource): boolean {
  return withContext('Applying SELinux labels to filesystem', () => applyPolicy(root, policyOfTree(root, objects)));
}

/** {@link selabel} with the policy in a directory, of which the tree is. */
export function selabelFromDir(root: Directory, directory: string | Buffer): boolean {
  return withContext('Applying SELinux labels to filesystem from directory', () =>
    applyPolicy(root, policyOfDirectory(directory)),
  );
}

function applyPolicy(root: Directory, source: PolicySource): boolean {
  const policy = readPolicy(source);
  if (policy === undefined) {
    forEachStat(root, (stat) => withLabel(stat, undefined, new Map()));
    return false;
  }
  new TreeLabeller(policy).label(root);
  return true;
}

/** A directory whose entries are being labelled. */
interface OpenDirectory {
  readonly directory: Directory;
  readonly names: readonly ByteString[];
  next: number;
  /** What comes before the next name, with the slash. */
  prefix: PolicyPath;
  /** That of all names but the first, where it is another. */
  readonly laterPrefix: ByteString | undefined;
}

class TreeLabeller {
  readonly #policy: Policy;
  /** The label that a leaf got under its first name. */
  readonly #labelled = new Map<Leaf, ByteString | undefined>();
  /** The xattrs of inodes that have no other ones, so that they share them. */
  readonly #shared = new Map<ByteString, Xattrs>();
  /** Trees can be deeper than the call stack. */
  readonly #open: OpenDirectory[] = [];

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  /** In byte order of names, a directory's entries before what comes after it: which links are split depends on it. */
  label(root: Directory): void {
    this.#enter(root, this.#policy.path(SLASH), true);
    for (let top = this.#open.at(-1); top !== undefined; top = this.#open.at(-1)) {
      const name = top.names[top.next];
      if (name === undefined) {
        this.#open.pop();
        continue;
      }
      if (top.next === 1 && top.laterPrefix !== undefined) top.prefix = this.#policy.path(top.laterPrefix);
      top.next += 1;
      const path = this.#policy.extend(top.prefix, name);
      const original = this.#policy.aliased(path);
      const inode = top.directory.lookup(name);
      if (inode instanceof Directory) this.#enter(inode, original ?? path, original !== undefined);
      else if (inode !== undefined) this.#labelLeaf(top.directory, name, inode, original ?? path);
    }
  }

  /** @param isGiven whether the path is not that of a parent and a name, so that it may end in a slash. */
  #enter(directory: Directory, path: PolicyPath, isGiven: boolean): void {
    directory.stat = withLabel(directory.stat, this.#policy.label(path, 'd'), this.#shared);
    // No path is looked at that need not be: trees can be so deep that all their paths together are gigabytes.
    const hasSlash = isGiven && path.text.endsWith(SLASH);
    this.#open.push({
      directory,
      names: directory.names(),
      next: 0,
      prefix: hasSlash ? path : this.#policy.extend(path, SLASH),
      laterPrefix: isGiven ? laterPrefix(path.text) : undefined,
    });
  }

  #labelLeaf(directory: Directory, name: ByteString, leaf: Leaf, path: PolicyPath): void {
    const label = this.#policy.label(path, TYPE_CODES[leaf.content.type]);
    let labelled = leaf;
    if (!this.#labelled.has(leaf)) {
      this.#labelled.set(leaf, label);
    } else if (this.#labelled.get(leaf) !== label) {
      labelled = new Leaf(leaf.stat, leaf.content);
      directory.insert(name, labelled);
    }
    labelled.stat = withLabel(labelled.stat, label, this.#shared);
  }
}

/**
 * The reference takes the name of an entry away from the path before it adds that of the next one, and with it slashes and
 * `/.` at the end of the directory's path, which only what stands in `file_contexts.subs` can have. Undefined if there
 * is nothing to take away.
 */
function laterPrefix(path: ByteString): ByteString | undefined {
  let end = path.length;
  while (end > 0 && (path[end - 1] === '/' || path.endsWith('/.', end))) end -= 1;
  return end === path.length ? undefined : concatBytes(sliceBytes(path, 0, end), SLASH);
}

/** The stat with that label and no other. */
function withLabel(stat: Stat, label: ByteString | undefined, shared: Map<ByteString, Xattrs>): Stat {
  if (stat.xattrs.get(XATTR_SECURITY_SELINUX) === label) return stat;
  if (label !== undefined && stat.xattrs.size === 0) {
    let xattrs = shared.get(label);
    if (xattrs === undefined) {
      xattrs = new Map([[XATTR_SECURITY_SELINUX, label]]);
      shared.set(label, xattrs);
    }
    return { ...stat, xattrs };
  }
  const xattrs = new Map(stat.xattrs);
  if (label === undefined) xattrs.delete(XATTR_SECURITY_SELINUX);
  else xattrs.set(XATTR_SECURITY_SELINUX, label);
  return { ...stat, xattrs: xattrs.size === 0 ? NO_XATTRS : xattrs };
}
