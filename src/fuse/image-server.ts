import { closeSync, readSync } from 'node:fs';
import { byteStringFrom } from '../bytes/byte-string.js';
import { FILE_TYPE_UNKNOWN, LAYOUT_CHUNK_BASED } from '../composefs/erofs/format/constants.js';
import { DirectoryView, type StoredEntry } from '../composefs/erofs/reader/directory-view.js';
import type { ErofsImage } from '../composefs/erofs/reader/image.js';
import type { ErofsInode } from '../composefs/erofs/reader/inode.js';
import { readImageContent } from '../composefs/erofs/reader/inode-content.js';
import { WHITEOUT_SUFFIX } from '../composefs/erofs/reader/inode-xattrs.js';
import { SYMLINK_TARGET_MAX } from '../composefs/tree/limits.js';
import { S_IFREG } from '../linux/constants.js';
import { closeBacking, openBacking } from '../linux/fuse-device.js';
import { attributesOf, inodeOf, nodeOf } from './nodes.js';
import type { ExternalContent, ObjectFiles } from './object-files.js';
import type { ObjectTable } from './object-table.js';
import * as wire from './wire/index.js';
import type { OverlayXattrMode } from './xattr-names.js';
import { shownXattrName, storedXattrName } from './xattr-names.js';

/** The result of a request that gets no reply. */
export const NO_REPLY: number = Number.NEGATIVE_INFINITY;
/** The result of an OPEN whose object is too large to be hashed while others wait: answer it again afterwards. */
export const DEFERRED: number = -(2 ** 32);

/** Handles: 0 is content of the image, this plus a slot is a backing file, everything else is a descriptor. */
const BACKING_HANDLES = 2 ** 48;
/** A file whose content an overlay takes from elsewhere. Nothing is read from it, but overlayfs asks for its flags. */
const NO_CONTENT_HANDLE = 2 ** 52;

/** `DT_*` of dirent.h by the EROFS type. */
const DIRENT_TYPES: readonly number[] = [0, 8, 4, 2, 6, 1, 12, 10];
const DT_REG = 8;
const ROOT_UID = 0;
const TRUSTED_PREFIX = 'trusted.';

export interface ImageServerOptions {
  readonly image: ErofsImage;
  readonly objects: ObjectFiles;
  /** Undefined: the file system itself. */
  readonly overlayXattr: OverlayXattrMode | undefined;
  /** Directories are not opened: the kernel knows how to do without. */
  readonly noOpendir: boolean;
  /** Where the kernel can read the objects itself: the device, and what is open in this way. */
  readonly passthrough: { readonly deviceFd: number; readonly table: ObjectTable } | undefined;
  /** Whether root can read `trusted.*` xattrs: not in a user namespace. */
  readonly trustedXattrs: boolean;
  /** Bytes: OPEN of a larger object that has to be hashed first is {@link DEFERRED}. */
  readonly hashMax: number;
}

/**
 * Answers the requests for an image (spec 50 §24). Nothing is kept between two requests but open files, whose
 * descriptors are the handles: any number of servers in any threads can share a mount.
 */
export class ImageServer {
  readonly #options: ImageServerOptions;
  readonly #image: ErofsImage;
  readonly #mode: OverlayXattrMode | undefined;

  constructor(options: ImageServerOptions) {
    this.#options = options;
    this.#image = options.image;
    this.#mode = options.overlayXattr;
  }

  /**
   * Handles one request.
   *
   * @param body the request after its header.
   * @param reply where to write the body of the reply; its size limits what is read.
   * @returns its length, a negative errno, {@link NO_REPLY} or {@link DEFERRED}.
   * @throws what goes wrong with the image or an object: EIO for the reader; WireError
   */
  handle({ opcode, node, uid }: wire.RequestHeader, body: Buffer, reply: Buffer): number {
    switch (opcode) {
      case wire.FUSE_LOOKUP:
        return this.#lookup(this.#inode(node), node, wire.decodeName(body), reply);
      case wire.FUSE_FORGET:
      case wire.FUSE_BATCH_FORGET:
        return NO_REPLY;
      case wire.FUSE_GETATTR:
        return wire.encodeAttributesReply(reply, 0, this.#attributes(this.#inode(node)));
      case wire.FUSE_READLINK:
        return this.#readlink(this.#inode(node), reply);
      case wire.FUSE_OPEN:
        return this.#open(this.#inode(node), reply);
      case wire.FUSE_READ:
        return this.#read(node, wire.decodeRead(body), reply);
      case wire.FUSE_RELEASE:
        return this.release(wire.decodeRelease(body));
      case wire.FUSE_OPENDIR:
        if (this.#options.noOpendir) return -wire.ENOSYS;
        return wire.encodeOpen(reply, 0, 0, wire.FOPEN_KEEP_CACHE | wire.FOPEN_CACHE_DIR, 0);
      case wire.FUSE_READDIR:
        return this.#readdir(this.#inode(node), wire.decodeRead(body), reply, false);
      case wire.FUSE_READDIRPLUS:
        return this.#readdir(this.#inode(node), wire.decodeRead(body), reply, true);
      case wire.FUSE_RELEASEDIR:
      case wire.FUSE_DESTROY:
        return 0;
      case wire.FUSE_GETXATTR:
        return this.#getxattr(this.#inode(node), wire.decodeXattrName(body), wire.decodeXattrSize(body), reply);
      case wire.FUSE_LISTXATTR:
        return this.#listxattr(this.#inode(node), uid, wire.decodeXattrSize(body), reply);
      case wire.FUSE_LSEEK:
        return this.#lseek(this.#inode(node), wire.decodeLseek(body), reply);
      case wire.FUSE_STATFS:
        return wire.encodeStatfs(reply, 0);
      default:
        // Also INTERRUPT, which the kernel then no longer sends: nothing here takes long enough to stop it.
        return -wire.ENOSYS;
    }
  }

  /** The inode that an OPEN is about. @throws ErofsReaderError */
  inodeOf({ node }: wire.RequestHeader): ErofsInode {
    return this.#inode(node);
  }

  /** Closes what OPEN opened. */
  release(handle: number): number {
    const { passthrough } = this.#options;
    if (handle < BACKING_HANDLES) {
      if (handle > 0) closeSync(handle);
    } else if (passthrough !== undefined) {
      const { deviceFd, table } = passthrough;
      table.releaseBacking(handle - BACKING_HANDLES, (id) => closeBacking(deviceFd, id));
    }
    return 0;
  }

  #inode(node: number): ErofsInode {
    return inodeOf(this.#image, node);
  }

  #attributes(inode: ErofsInode): wire.Attributes {
    const node = nodeOf(this.#image, inode.nid);
    if (this.#mode === undefined || !isEscapedWhiteout(inode)) return attributesOf(inode, node);
    return { ...attributesOf(inode, node, 0), mode: S_IFREG | (inode.mode & 0o7777), rdev: 0 };
  }

  /** Whiteouts and the stubs of the root exist for overlayfs only. */
  #isHidden(inode: ErofsInode): boolean {
    return this.#mode === undefined && (inode.isWhiteout || isEscapedWhiteout(inode));
  }

  #lookup(parent: ErofsInode, parentNode: number, name: Buffer, reply: Buffer): number {
    // Asked for by file handles (EXPORT_SUPPORT), of any inode.
    if (name.length === 1 && name[0] === 0x2e) {
      return wire.encodeEntry(reply, 0, parentNode, this.#attributes(parent));
    }
    if (!parent.isDirectory) return -wire.ENOTDIR;
    const nid = new DirectoryView(this.#image, parent).find(name);
    if (nid === undefined) return wire.encodeNoEntry(reply, 0);
    const inode = this.#image.inode(nid);
    if (this.#isHidden(inode)) return wire.encodeNoEntry(reply, 0);
    return wire.encodeEntry(reply, 0, nodeOf(this.#image, nid), this.#attributes(inode));
  }

  #readlink(inode: ErofsInode, reply: Buffer): number {
    if (!inode.isSymlink || inode.size === 0) return -wire.EINVAL;
    return inode.size > SYMLINK_TARGET_MAX ? -wire.EIO : readImageContent(inode, 0, reply, 0, SYMLINK_TARGET_MAX);
  }

  #open(inode: ErofsInode, reply: Buffer): number {
    if (!inode.isRegular) return -wire.EINVAL;
    const { objects, hashMax } = this.#options;
    const content = objects.locate(inode);
    const flags = wire.FOPEN_KEEP_CACHE | wire.FOPEN_NOFLUSH;
    if (content === undefined) return wire.encodeOpen(reply, 0, 0, flags, 0);
    if (this.#mode !== undefined) return wire.encodeOpen(reply, 0, NO_CONTENT_HANDLE, flags, 0);
    const fd = objects.open(content, hashMax);
    if (fd === undefined) return DEFERRED;
    const backingId = this.#passThrough(content, fd);
    if (backingId === undefined) return wire.encodeOpen(reply, 0, fd, flags, 0);
    closeSync(fd);
    // The kernel allows no other flags with this one.
    const passthrough = wire.FOPEN_PASSTHROUGH | wire.FOPEN_NOFLUSH;
    return wire.encodeOpen(reply, 0, BACKING_HANDLES + (content.slot ?? 0), passthrough, backingId);
  }

  #passThrough({ slot }: ExternalContent, fd: number): number | undefined {
    const { passthrough } = this.#options;
    if (passthrough === undefined || slot === undefined) return undefined;
    const { deviceFd, table } = passthrough;
    return table.retainBacking(slot, () => openBacking(deviceFd, fd));
  }

  #read(node: number, { handle, offset, size }: wire.ReadRequest, reply: Buffer): number {
    const length = Math.min(size, reply.length);
    const inode = this.#inode(node);
    if (handle === 0) return readImageContent(inode, offset, reply, 0, length);
    if (handle >= BACKING_HANDLES) return -wire.EBADF;
    const count = readSync(handle, reply, 0, length, offset);
    // An object that became shorter must not make the file shorter.
    return count < length && offset + count < inode.exactSize ? -wire.EIO : count;
  }

  /** Of a file there is only known whether all of it is a hole. */
  #lseek(inode: ErofsInode, { offset, whence }: wire.LseekRequest, reply: Buffer): number {
    if (!inode.isRegular || (whence !== wire.SEEK_DATA && whence !== wire.SEEK_HOLE)) return -wire.EINVAL;
    const size = inode.exactSize;
    const isHole = inode.layout === LAYOUT_CHUNK_BASED && this.#options.objects.locate(inode) === undefined;
    if (offset >= size || (isHole && whence === wire.SEEK_DATA)) return -wire.ENXIO;
    return wire.encodeLseek(reply, 0, isHole || whence === wire.SEEK_DATA ? offset : size);
  }

  #readdir(directory: ErofsInode, { offset, size }: wire.ReadRequest, reply: Buffer, withAttributes: boolean): number {
    if (!directory.isDirectory) return -wire.ENOTDIR;
    const limit = Math.min(size, reply.length);
    let used = 0;
    for (const entry of new DirectoryView(this.#image, directory).entriesFrom(offset)) {
      const inode = this.#readableInode(entry.nid);
      if (inode !== undefined && this.#isHidden(inode)) continue;
      const { name, next: nextOffset } = entry;
      const needed = withAttributes ? wire.direntPlusSize(name.length) : wire.direntSize(name.length);
      if (used + needed > limit) break;
      const record = { ino: nodeOf(this.#image, entry.nid), nextOffset, type: direntType(entry, inode), name };
      used += withAttributes
        ? wire.encodeDirentPlus(reply, used, record, this.#attributesOfEntry(entry, inode))
        : wire.encodeDirent(reply, used, record);
    }
    return used;
  }

  /** None of `.` and `..`, which the kernel knows, and of damaged inodes, at which only a lookup is to fail. */
  #attributesOfEntry({ name }: StoredEntry, inode: ErofsInode | undefined): wire.Attributes | undefined {
    if (inode === undefined || isDots(name)) return undefined;
    try {
      return this.#attributes(inode);
    } catch {
      return undefined;
    }
  }

  #readableInode(nid: number): ErofsInode | undefined {
    try {
      return this.#image.inode(nid);
    } catch {
      return undefined;
    }
  }

  #getxattr(inode: ErofsInode, name: Buffer, size: number, reply: Buffer): number {
    if (inode.xattrSize === 0) return -wire.ENODATA;
    const stored = storedXattrName(byteStringFrom(name), this.#mode);
    if (stored === undefined) return -wire.ENODATA;
    for (const xattr of inode.xattrs()) {
      if (xattr.name !== stored) continue;
      const { value } = xattr;
      if (size === 0) return wire.encodeXattrSize(reply, 0, value.length);
      return value.length > size ? -wire.ERANGE : value.copy(reply);
    }
    return -wire.ENODATA;
  }

  #listxattr(inode: ErofsInode, uid: number, size: number, reply: Buffer): number {
    // Who has CAP_SYS_ADMIN, the protocol does not say.
    const showsTrusted = this.#options.trustedXattrs && uid === ROOT_UID;
    let names = '';
    if (inode.xattrSize > 0) {
      for (const xattr of inode.xattrs()) {
        const name = shownXattrName(xattr.name, this.#mode);
        // What cannot be read is not listed, for which overlayfs would not copy the file up.
        if (name === undefined || (!showsTrusted && name.startsWith(TRUSTED_PREFIX))) continue;
        names += `${name}\0`;
      }
    }
    if (size === 0) return wire.encodeXattrSize(reply, 0, names.length);
    return names.length > size ? -wire.ERANGE : reply.write(names, 'latin1');
  }
}

function isEscapedWhiteout(inode: ErofsInode): boolean {
  if (inode.xattrSize === 0) return false;
  for (const xattr of inode.xattrs()) if (xattr.isTrusted(WHITEOUT_SUFFIX)) return true;
  return false;
}

function isDots(name: Buffer): boolean {
  return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
}

function direntType({ fileType }: StoredEntry, inode: ErofsInode | undefined): number {
  if (inode !== undefined) return inode.type >>> 12;
  return fileType === FILE_TYPE_UNKNOWN ? DT_REG : (DIRENT_TYPES[fileType] ?? DT_REG);
}
