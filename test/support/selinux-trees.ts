/** Trees with an SELinux policy in them. */

import { byteStringFromText } from '../../src/bytes/byte-string.js';
import { Directory, Leaf } from '../../src/composefs/tree/inode.js';
import { NO_XATTRS, type Stat } from '../../src/composefs/tree/stat.js';
import { parseDumpfile } from './at-once.js';

const SELINUX = byteStringFromText('security.selinux');
const ROOT = '/ 0 40755 4 0 0 0 0.0 - - -';

const stat = (mode: number): Stat => ({ mode, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS });

/** Everything is an inline file. */
export const NO_OBJECTS = {
  algorithm: 'sha256' as const,
  *readObjectChunks(): Generator<Buffer> {
    yield* [];
    throw new Error('there are no objects');
  },
};

/** A tree from lines of a dumpfile below the root. */
export function treeOf(lines: readonly string[]): Directory {
  return parseDumpfile(Buffer.from([ROOT, ...lines].join('\n')), 'sha256');
}

/** Adds `/etc/selinux/config` and the files of the policy `targeted`. */
export function addPolicy(root: Directory, files: Readonly<Record<string, string | Buffer>>): Directory {
  writeFile(root, 'etc/selinux/config', 'SELINUX=enforcing\nSELINUXTYPE=targeted\n');
  for (const [name, content] of Object.entries(files)) {
    writeFile(root, `etc/selinux/targeted/contexts/files/${name}`, content);
  }
  return root;
}

/** Writes a file, and what is missing of the directories above it. */
export function writeFile(root: Directory, path: string, content: string | Buffer): void {
  const names = path.split('/').map(byteStringFromText);
  const last = names.pop();
  let directory = root;
  for (const name of names) {
    let child = directory.lookup(name);
    if (!(child instanceof Directory)) {
      child = new Directory(stat(0o755));
      directory.insert(name, child);
    }
    directory = child as Directory;
  }
  const file = { storage: 'inline' as const, data: Buffer.from(content) };
  if (last !== undefined) directory.insert(last, new Leaf(stat(0o644), { type: 'regular', file }));
}

/** The labels of all paths, by path; the name of the type where it is of the form `system_u:object_r:X_t:s0`. */
export function labelsOf(root: Directory): Record<string, string | undefined> {
  const labels: Record<string, string | undefined> = { '/': short(root.stat) };
  const walk = (directory: Directory, path: string) => {
    for (const [name, inode] of directory.entries()) {
      labels[`${path}/${name}`] = short(inode.stat);
      if (inode instanceof Directory) walk(inode, `${path}/${name}`);
    }
  };
  walk(root, '');
  return labels;
}

function short(of: Stat): string | undefined {
  const label = of.xattrs.get(SELINUX);
  return label === undefined ? undefined : (/^system_u:object_r:(\w+)_t:s0$/.exec(label)?.[1] ?? label);
}

/** Lines of a policy: a regular expression, perhaps a type, and the name of a label. */
export function specs(...lines: readonly string[]): string {
  return lines.map((line) => `${line.replace(/(\S+)$/, (name) => label(name))}\n`).join('');
}

function label(name: string): string {
  return name === '<<none>>' ? name : `system_u:object_r:${name}_t:s0`;
}
