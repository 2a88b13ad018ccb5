import type { ByteString } from '../../../src/bytes/byte-string.js';
import { writeDumpfile } from '../../../src/composefs/dumpfile/writer.js';
import { Directory } from '../../../src/composefs/tree/inode.js';
import { NO_XATTRS, type Stat, UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';
import type { Applier } from '../../../src/oci/layer/apply-layer.js';
import { makeAbsolute, type TarEntry, type TarItem } from '../../../src/oci/layer/tar-entry.js';

/** Entries of layers without tars, and the trees they make. */

export const STAT: Stat = { mode: 0o755, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS };

export function entry(path: string, item: TarItem, stat: Stat = STAT): TarEntry {
  return { path: makeAbsolute(path as ByteString), stat, item };
}

export const directory = (path: string, stat?: Stat): TarEntry => entry(path, { type: 'directory' }, stat);
export const file = (path: string, text = ''): TarEntry =>
  entry(path, { type: 'leaf', content: { type: 'regular', file: { storage: 'inline', data: Buffer.from(text) } } });
export const symlink = (path: string, target: string): TarEntry =>
  entry(path, { type: 'leaf', content: { type: 'symlink', target: target as ByteString } });
export const hardlink = (path: string, target: string): TarEntry =>
  entry(path, { type: 'hardlink', target: makeAbsolute(target as ByteString) });

/** The tree of some layers. */
export function applyLayers(makeApplier: (root: Directory) => Applier, layers: readonly TarEntry[][]): Directory {
  const root = new Directory(UNINITIALIZED_STAT);
  const applier = makeApplier(root);
  for (const [index, layer] of layers.entries()) {
    applier.startLayer(`layer-${index}`);
    for (const each of layer) applier.apply(each);
  }
  return root;
}

/** The paths of a tree in the order of a dumpfile. */
export function paths(root: Directory): string[] {
  return [...writeDumpfile(root)].map((line) => line.split(' ')[0] ?? '');
}

/** Entries as words: `d:PATH` a directory, `f:PATH` an empty file, `l:PATH>TARGET` a symlink, `h:PATH>TARGET` a link. */
export function parse(text: string): TarEntry[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [path = '', target = ''] = word.slice(2).split('>');
      switch (word[0]) {
        case 'd':
          return directory(path);
        case 'f':
          return file(path);
        case 'l':
          return symlink(path, target);
        default:
          return hardlink(path, target);
      }
    });
}
