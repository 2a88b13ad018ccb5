import { constants } from 'node:buffer';
import { type ByteRegion, byteRegion } from '../../../bytes/byte-region.js';
import { runSteps, type Steps } from '../../../threads/turns.js';
import type { Directory } from '../../tree/inode.js';
import { BLOCK_SIZE, FLAG_HAS_ACL, formatEpoch } from '../format/constants.js';
import { encodeHeader } from '../format/header.js';
import { encodeSuperblock } from '../format/superblock.js';
import { XATTR_INDEX_ACL_ACCESS, XATTR_INDEX_ACL_DEFAULT } from '../format/xattr-area.js';
import { collectDepthFirst, orderBreadthFirst } from './collect.js';
import { emitInode, emitXattrEntry } from './emit.js';
import type { ImageInode } from './image-inode.js';
import { assignXattrs } from './inode-xattrs.js';
import { InvalidTreeError } from './invalid-tree-error.js';
import { type ImageLayout, layOut } from './layout.js';
import { type Mtime, minimumMtime, placeEpoch1, planEpoch1 } from './layout-epoch1.js';
import { placeEpoch2, planEpoch2 } from './layout-epoch2.js';
import type { ErofsOptions } from './options.js';
import { shareXattrs } from './share-xattrs.js';
import { validationSteps } from './validate.js';
import { XattrTable } from './xattr-table.js';

/**
 * The composefs image of a tree (spec 20 §3 to §6): a pure function of tree, version and digest algorithm, which does
 * not change the tree.
 *
 * @throws InvalidTreeError if the tree cannot be written.
 */
export function writeErofs(root: Directory, options: ErofsOptions): Buffer {
  return runSteps(erofsSteps(root, options));
}

/** {@link writeErofs}. */
export function* erofsSteps(root: Directory, options: ErofsOptions): Steps<Buffer> {
  yield* validationSteps(root, options);
  const isEpoch1 = formatEpoch(options.version) === 1;

  const depthFirst = yield* collectDepthFirst(root, options);
  const [rootInode] = depthFirst;
  if (rootInode === undefined) throw new Error('a tree has at least its root');
  const inodes = isEpoch1 ? yield* orderBreadthFirst(rootInode) : depthFirst;

  const table = new XattrTable(formatEpoch(options.version));
  yield* assignXattrs(inodes, table, options);
  const shared = shareXattrs(inodes, table, options.version);
  yield;

  let buildTime: Mtime = { sec: 0, nsec: 0 };
  if (isEpoch1) {
    buildTime = minimumMtime(inodes, options.dialect);
    for (const inode of inodes) {
      yield;
      planEpoch1(inode, buildTime, options);
    }
  } else {
    for (const inode of inodes) {
      yield;
      planEpoch2(inode);
    }
  }
  const layout = layOut(inodes, shared, isEpoch1 ? placeEpoch1 : placeEpoch2);
  yield;

  const target = byteRegion(allocate(layout));
  const { bytes, view } = target;
  const xattrBlock = isEpoch1 ? Math.floor(layout.inodesEnd / BLOCK_SIZE) : 0;
  encodeHeader(view, isEpoch1 && hasAcl(table, options) ? FLAG_HAS_ACL : 0, options.version);
  encodeSuperblock(view, {
    rootNid: rootInode.nid,
    inodeCount: inodes.length,
    buildTime: buildTime.sec,
    buildTimeNsec: buildTime.nsec,
    blockCount: layout.size / BLOCK_SIZE,
    xattrBlock,
  });
  yield* emitInodes(target, inodes, layout, options, xattrBlock * BLOCK_SIZE);
  for (const entry of shared) emitXattrEntry(target, entry.position, entry);
  return bytes;
}

function* emitInodes(
  target: ByteRegion,
  inodes: readonly ImageInode[],
  layout: ImageLayout,
  options: ErofsOptions,
  xattrBase: number,
): Steps<void> {
  let blockPosition = layout.dataStart;
  for (const inode of inodes) {
    yield;
    blockPosition = emitInode(target, inode, options.version, xattrBase, blockPosition);
  }
  if (blockPosition !== layout.size) throw new Error('layout and emission of an image disagree');
}

function allocate(layout: ImageLayout): Buffer {
  if (layout.size > constants.MAX_LENGTH) {
    throw new InvalidTreeError('image-size', `the image would have ${layout.size} bytes (max ${constants.MAX_LENGTH})`);
  }
  return Buffer.alloc(layout.size);
}

/** composefs-rs goes by the stored prefix, C by the exact name (spec 20 §3.7, §16.10). */
function hasAcl(table: XattrTable, { dialect }: ErofsOptions): boolean {
  return table.usesName(
    ({ index, suffix }) =>
      (index === XATTR_INDEX_ACL_ACCESS || index === XATTR_INDEX_ACL_DEFAULT) &&
      (dialect !== 'mkcomposefs' || suffix === ''),
  );
}
