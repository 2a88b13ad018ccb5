import { constants } from 'node:buffer';
import type { ByteString } from '../../../bytes/byte-string.js';
import { runSteps, type Steps } from '../../../threads/turns.js';
import type { Directory } from '../../tree/inode.js';
import { BLOCK_SIZE, FLAG_HAS_ACL, formatEpoch, INODES_OFFSET } from '../format/constants.js';
import { encodeHeader } from '../format/header.js';
import { encodeSuperblock } from '../format/superblock.js';
import { XATTR_INDEX_ACL_ACCESS, XATTR_INDEX_ACL_DEFAULT } from '../format/xattr-area.js';
import { collectDepthFirst, orderBreadthFirst } from './collect.js';
import { emitBlocks, emitInode, emitXattrEntry } from './emit.js';
import type { ImageInode } from './image-inode.js';
import type { ImageInodes } from './image-inodes.js';
import { XattrAssigner } from './inode-xattrs.js';
import { InvalidTreeError } from './invalid-tree-error.js';
import { Layouter, metaSize, setFirstBlock } from './layout.js';
import { isEarlier, type Mtime, placeEpoch1, planEpoch1 } from './layout-epoch1.js';
import { placeEpoch2, planEpoch2 } from './layout-epoch2.js';
import type { ErofsOptions } from './options.js';
import { PieceWriter, type TakePiece } from './piece-writer.js';
import { shareXattrs } from './share-xattrs.js';
import { validationSteps } from './validate.js';
import { XattrTable } from './xattr-table.js';

/** What is done before others get their turn. */
const INODES_A_STEP = 16;

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
  let image: Buffer | undefined;
  yield* erofsPieceSteps(root, options, (size) => {
    const whole = Buffer.allocUnsafeSlow(size);
    let position = 0;
    image = whole;
    return (piece) => {
      whole.set(piece, position);
      position += piece.length;
    };
  });
  if (image === undefined) throw new Error('an image was written and its size not told');
  return image;
}

/** {@link writeErofs} in pieces, which `take` takes in order and does not keep. */
export function writeErofsPieces(root: Directory, options: ErofsOptions, take: TakePiece): void {
  runSteps(erofsPieceSteps(root, options, () => take));
}

/**
 * {@link writeErofs} in pieces, in order.
 *
 * @param start is told how many bytes the image will have, and takes the pieces then.
 */
export function* erofsPieceSteps(
  root: Directory,
  options: ErofsOptions,
  start: (size: number) => TakePiece,
): Steps<void> {
  const entries = yield* validationSteps(root, options);
  const epoch = formatEpoch(options.version);
  const inodes = yield* collectDepthFirst(root, entries, options);
  if (epoch === 1) yield* orderBreadthFirst(inodes);

  const table = new XattrTable(epoch);
  const xattrs = new XattrAssigner(table, options);
  const buildTime = yield* firstPass(inodes, xattrs, options);
  const shared = shareXattrs(table, xattrs.objectXattrs, epoch);
  yield;

  const names = (index: number): readonly ByteString[] => inodes.entriesOf(index).names;
  const planned = (place: number): ImageInode => {
    const inode = inodes.read(inodes.at(place));
    xattrs.read(inode);
    if (epoch === 1) planEpoch1(inode, buildTime, names, options);
    else planEpoch2(inode, names);
    return inode;
  };
  const layouter = new Layouter(epoch === 1 ? placeEpoch1 : placeEpoch2);
  const withBlocks: number[] = [];
  for (let place = 0; place < inodes.count; place++) {
    if (place % INODES_A_STEP === 0) yield;
    const inode = planned(place);
    inodes.setPosition(inode.index, layouter.add(inode));
    if (inode.blockCount > 0) withBlocks.push(place);
  }
  const layout = layouter.finish(shared);
  if (layout.size > constants.MAX_LENGTH) {
    throw new InvalidTreeError('image-size', `the image would have ${layout.size} bytes (max ${constants.MAX_LENGTH})`);
  }

  const writer = new PieceWriter(start(layout.size));
  const xattrBlock = epoch === 1 ? Math.floor(layout.inodesEnd / BLOCK_SIZE) : 0;
  const { view } = writer.reserve(0, INODES_OFFSET);
  encodeHeader(view, epoch === 1 && hasAcl(table, options) ? FLAG_HAS_ACL : 0, options.version);
  encodeSuperblock(view, {
    rootNid: inodes.nid(0),
    inodeCount: inodes.count,
    buildTime: buildTime.sec,
    buildTimeNsec: buildTime.nsec,
    blockCount: layout.size / BLOCK_SIZE,
    xattrBlock,
  });

  let block = layout.dataStart / BLOCK_SIZE;
  for (let place = 0; place < inodes.count; place++) {
    if (place % INODES_A_STEP === 0) yield;
    const inode = planned(place);
    if (inode.blockCount > 0) setFirstBlock(inode, block);
    block += inode.blockCount;
    const position = inodes.position(inode.index);
    const target = writer.reserve(position, metaSize(inode) + inode.tailSize);
    emitInode(target, writer.offsetOf(position), inode, inodes, options.version, xattrBlock * BLOCK_SIZE);
  }
  for (const entry of shared) {
    const target = writer.reserve(entry.position, entry.size);
    emitXattrEntry(target, writer.offsetOf(entry.position), entry);
  }
  let position = layout.dataStart;
  for (const place of withBlocks) {
    yield;
    const inode = planned(place);
    const size = BLOCK_SIZE * inode.blockCount;
    const target = writer.reserve(position, size);
    emitBlocks(target, writer.offsetOf(position), inode, inodes);
    position += size;
  }
  if (position !== layout.size) throw new Error('layout and emission of an image disagree');
  writer.finish(layout.size);
}

/** Counts who has which xattrs, and finds the build time: of V0 and V1 the least mtime, of V2 the epoch. */
function* firstPass(inodes: ImageInodes, xattrs: XattrAssigner, options: ErofsOptions): Steps<Mtime> {
  let minimum: Mtime | undefined;
  for (let place = 0; place < inodes.count; place++) {
    if (place % INODES_A_STEP === 0) yield;
    const inode = inodes.read(inodes.at(place));
    xattrs.count(inode);
    inodes.setObject(inode.index, inode.object);
    if (minimum === undefined || isEarlier(inode, minimum, options.dialect)) {
      minimum = { sec: inode.mtimeSec, nsec: inode.mtimeNsec };
    }
  }
  return formatEpoch(options.version) === 1 && minimum !== undefined ? minimum : { sec: 0, nsec: 0 };
}

/** composefs-rs goes by the stored prefix, C by the exact name (spec 20 §3.7, §16.10). */
function hasAcl(table: XattrTable, { dialect }: ErofsOptions): boolean {
  return table.usesName(
    ({ index, suffix }) =>
      (index === XATTR_INDEX_ACL_ACCESS || index === XATTR_INDEX_ACL_DEFAULT) &&
      (dialect !== 'mkcomposefs' || suffix === ''),
  );
}
