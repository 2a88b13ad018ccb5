import { errorChain } from '../../../errors.js';
import { S_IFCHR, S_IFMT } from '../../../linux/constants.js';
import { runSteps, type Steps } from '../../../threads/turns.js';
import { BLOCK_SIZE, formatEpoch, isFormatVersion, LAYOUT_FLAT_INLINE, SLOT_SIZE } from '../format/constants.js';
import { INODE_MODE } from '../format/inode-header.js';
import { invalidImage } from './errors.js';
import type { ErofsImage } from './image.js';
import type { ErofsInode } from './inode.js';
import { WHITEOUT_SUFFIX } from './inode-xattrs.js';
import { quietly, walkInodeSteps } from './walk.js';

const STUB_COUNT = 256;

/**
 * The rules that a version adds to what any reader needs (spec 20 §12): inline symlinks that old kernels can read, and
 * the whiteouts of the image's epoch. What cannot be read is passed over: reading the tree finds that.
 *
 * @throws ErofsReaderError
 */
export function fsckMetadata(image: ErofsImage): void {
  runSteps(fsckMetadataSteps(image));
}

/** {@link fsckMetadata}. */
export function* fsckMetadataSteps(image: ErofsImage): Steps<void> {
  const { composefsVersion } = image.header;
  if (!isFormatVersion(composefsVersion)) return;
  if (formatEpoch(composefsVersion) !== 2) yield* epoch1Steps(image);
  else yield* walkInodeSteps(image, { inode: refuseEscapedWhiteout }, { isTolerant: true });
}

function* epoch1Steps(image: ErofsImage): Steps<void> {
  const stubs = new Set<string>();
  let hasNativeWhiteout = false;
  yield* walkInodeSteps(
    image,
    {
      inode: checkInlineSymlink,
      entry: ({ name, nid }, _directory, isRoot) => {
        if (isRoot) {
          if (/^[0-9a-f]{2}$/.test(name)) stubs.add(name);
        } else if (!hasNativeWhiteout && isCharacterDevice(image, nid)) {
          hasNativeWhiteout = quietly(() => image.inode(nid))?.isWhiteout === true;
        }
      },
    },
    { isTolerant: true },
  );
  if (stubs.size !== STUB_COUNT) {
    throw invalidImage(`Epoch1 image has ${stubs.size} hex-named root entries, expected 256 (00–ff)`);
  }
  if (hasNativeWhiteout) throw invalidImage('Epoch1 image contains native whiteout outside root stubs');
}

/** Whether an inode says so that may not lie inside of the image. Most are none, and need not be read for that. */
function isCharacterDevice({ view, inodesOffset }: ErofsImage, nid: number): boolean {
  const at = inodesOffset + SLOT_SIZE * nid + INODE_MODE;
  return at + 2 <= view.byteLength && (view.getUint16(at, true) & S_IFMT) === S_IFCHR;
}

function checkInlineSymlink(inode: ErofsInode): void {
  if (!inode.isSymlink || inode.layout !== LAYOUT_FLAT_INLINE) return;
  const inline = inode.size % BLOCK_SIZE;
  if (inline === 0) return;
  const inBlock = inode.offset % BLOCK_SIZE;
  const meta = inode.headerSize + inode.xattrSize;
  const total = inBlock + meta + inline;
  if (total <= BLOCK_SIZE) return;
  throw invalidImage(
    `inode at nid ${inode.nid} (FlatInline symlink, inode_pos_in_block=${inBlock}, inode_and_xattr_size=${meta}, ` +
      `inline_size=${inline}) would trigger EUCLEAN on kernels older than 6.12: ` +
      `${inBlock} + ${meta} + ${inline} = ${total} > ${BLOCK_SIZE}`,
  );
}

function refuseEscapedWhiteout(inode: ErofsInode): void {
  if (!inode.isRegular) return;
  let isEscaped = false;
  try {
    for (const xattr of inode.xattrs()) isEscaped ||= xattr.isTrusted(WHITEOUT_SUFFIX);
  } catch (error) {
    throw invalidImage(errorChain(error).join(': '));
  }
  if (isEscaped) throw invalidImage('Epoch2 image contains escaped whiteout');
}
