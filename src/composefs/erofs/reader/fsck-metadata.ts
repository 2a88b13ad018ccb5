import { errorChain } from '../../../errors.js';
import { S_IFCHR, S_IFMT } from '../../../linux/constants.js';
import { runSteps, type Steps } from '../../../threads/turns.js';
import { BLOCK_SIZE, formatEpoch, isFormatVersion, LAYOUT_FLAT_INLINE, SLOT_SIZE } from '../format/constants.js';
import { INODE_MODE } from '../format/inode-header.js';
import type { EntryCursor } from './directory-block.js';
import { invalidImage } from './errors.js';
import type { ErofsImage } from './image.js';
import type { ErofsInode } from './inode.js';
import { WHITEOUT_SUFFIX } from './inode-xattrs.js';
import { quietly, type WalkVisitor, walkInodeSteps } from './walk.js';

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
  const rules = versionRules(image);
  if (rules === undefined) return;
  yield* walkInodeSteps(image, rules, { isTolerant: true });
  rules.finish?.();
}

/** Rules that the inodes of an image have to keep to: a visitor that throws where one does not. */
export interface VersionRules extends WalkVisitor {
  inode(inode: ErofsInode): void;
  /** What is known when all inodes were visited. @throws ErofsReaderError */
  finish?(): void;
}

/** The rules of the version of an image, for one walk; undefined of a version that has none. */
export function versionRules(image: ErofsImage): VersionRules | undefined {
  const { composefsVersion } = image.header;
  if (!isFormatVersion(composefsVersion)) return undefined;
  return formatEpoch(composefsVersion) === 2 ? { inode: refuseEscapedWhiteout } : new Epoch1Rules(image);
}

class Epoch1Rules implements VersionRules {
  readonly #image: ErofsImage;
  readonly #stubs = new Set<string>();
  #hasNativeWhiteout = false;

  constructor(image: ErofsImage) {
    this.#image = image;
  }

  inode(inode: ErofsInode): void {
    checkInlineSymlink(inode);
  }

  entry(entry: EntryCursor, isInRoot: boolean): void {
    if (isInRoot) {
      const { name } = entry;
      if (/^[0-9a-f]{2}$/.test(name)) this.#stubs.add(name);
    } else if (!this.#hasNativeWhiteout) {
      const { nid } = entry;
      if (isCharacterDevice(this.#image, nid)) {
        this.#hasNativeWhiteout = quietly(() => this.#image.inode(nid))?.isWhiteout === true;
      }
    }
  }

  finish(): void {
    const { size } = this.#stubs;
    if (size !== STUB_COUNT) {
      throw invalidImage(`Epoch1 image has ${size} hex-named root entries, expected 256 (00–ff)`);
    }
    if (this.#hasNativeWhiteout) throw invalidImage('Epoch1 image contains native whiteout outside root stubs');
  }
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
