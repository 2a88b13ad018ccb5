import { decodeUtf8 } from '../../../bytes/text.js';
import { SLOT_SIZE } from '../format/constants.js';
import { DIRENT_NAME_OFFSET, DIRENT_SIZE } from '../format/dirent.js';
import { XATTR_AREA_HEADER_SIZE, XATTR_PREFIXES } from '../format/xattr-area.js';
import { directoryEntries } from '../reader/directory-block.js';
import type { ErofsImage } from '../reader/image.js';
import type { ErofsInode } from '../reader/inode.js';
import type { Xattr } from '../reader/xattr.js';
import {
  COMPACT_INODE_FIELDS,
  DIRENT_FIELDS,
  EXTENDED_INODE_FIELDS,
  HEADER_FIELDS,
  SUPERBLOCK_FIELDS,
  showFields,
  XATTR_AREA_FIELDS,
} from './fields.js';
import { hexdump, relativeOffset } from './hexdump.js';
import { quoteOrHex, quoteOrHexBytes, quoteText } from './quote.js';
import { pathText, type Segment } from './segments.js';

const INLINE_TEXT_MAX = 128;

/** Eight hex digits. */
export function absoluteOffset(offset: number): string {
  return offset.toString(16).padStart(8, '0');
}

/** The text of a segment (spec 20 §13.2, 2 to 9), in pieces. */
export function* showSegment(image: ErofsImage, { offset, size, content, paths }: Segment): Generator<string> {
  const { bytes } = image;
  const at = absoluteOffset(offset);
  for (const path of paths) yield `# Filename ${quoteOrHexBytes(pathText(path))}\n`;
  switch (content.kind) {
    case 'header':
      yield `${at} ComposefsHeader\n`;
      yield* showFields(HEADER_FIELDS, bytes, offset, offset);
      break;
    case 'superblock':
      yield `${at} Superblock\n`;
      yield* showFields(SUPERBLOCK_FIELDS, bytes, offset, offset);
      break;
    case 'compact inode':
      yield `# nid #${(offset - image.inodesOffset) / SLOT_SIZE}\n${at} CompactInodeHeader\n`;
      yield* showInode(content.inode);
      break;
    case 'extended inode':
      yield `# nid #${(offset - image.inodesOffset) / SLOT_SIZE}\n${at} ExtendedInodeHeader\n`;
      yield* showInode(content.inode);
      break;
    case 'shared xattr':
      yield `# xattr #${(offset - image.xattrsOffset) / 4}\n${at} ${showXattr(content.xattr)}\n`;
      return;
    case 'data block':
      yield `# block #${offset / image.blockSize}\n${at} Data block\n`;
      yield* hexdump(bytes.subarray(offset, offset + size), 0);
      break;
    case 'directory block':
      yield `# block #${offset / image.blockSize}\n${at} Directory block`;
      yield* showEntries(bytes.subarray(offset, offset + size));
      break;
  }
  yield '\n';
}

function* showInode(inode: ErofsInode): Generator<string> {
  const { bytes } = inode.image;
  const { offset, headerSize, xattrSize } = inode;
  yield* showFields(inode.isExtended ? EXTENDED_INODE_FIELDS : COMPACT_INODE_FIELDS, bytes, offset, offset);
  if (xattrSize > 0) yield* showXattrArea(inode);

  const inline = inode.inline();
  if (inline === undefined) return;
  const at = headerSize + xattrSize;
  if (inode.isDirectory) {
    yield `     +${at.toString(16).padStart(2, '0')} --- inline directory entries ---`;
    yield* showEntries(inline);
    return;
  }
  const text = inline.length <= INLINE_TEXT_MAX ? decodeUtf8(inline) : undefined;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (text !== undefined && !/[\0-\x1f\x7f]/.test(text)) yield `${relativeOffset(at)}     inline: ${quoteText(text)}\n`;
  else yield* hexdump(inline, at);
}

function* showXattrArea(inode: ErofsInode): Generator<string> {
  const { offset, headerSize } = inode;
  yield* showFields(XATTR_AREA_FIELDS, inode.image.bytes, offset + headerSize, offset);
  const shared = inode.sharedXattrIds();
  if (shared.length > 0) {
    const ids = shared.map((id) => `U32(${id})`).join(', ');
    yield `${relativeOffset(headerSize + XATTR_AREA_HEADER_SIZE)}     shared xattrs: [${ids}]\n`;
  }
  for (const xattr of inode.localXattrs()) {
    yield `${relativeOffset(xattr.offset - offset)}     xattr: ${showXattr(xattr)}\n`;
  }
}

function showXattr(xattr: Xattr): string {
  const { index, nameLength, valueSize, padding } = xattr;
  const name = `${XATTR_PREFIXES[index] ?? '?'}${quoteOrHexBytes(xattr.suffix)}`;
  const junk = padding.some((byte) => byte !== 0) ? ` [${[...padding].join(', ')}]` : '';
  return `(${index} ${nameLength} ${valueSize}) ${name} = ${quoteOrHex(xattr.value)}${junk}`;
}

function* showEntries(block: Buffer): Generator<string> {
  let at = 0;
  for (const { name } of directoryEntries(block)) {
    yield '\n';
    yield* showFields(DIRENT_FIELDS, block, at, 0);
    const nameOffset = block.readUInt16LE(at + DIRENT_NAME_OFFSET);
    yield `${relativeOffset(nameOffset)}     # name: ${quoteOrHexBytes(name)}\n`;
    at += DIRENT_SIZE;
  }
}
