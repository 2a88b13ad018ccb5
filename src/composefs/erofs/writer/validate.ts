import { type ByteString, quoteBytes } from '../../../bytes/byte-string.js';
import { Directory } from '../../tree/directory.js';
import { isWhiteout, type Leaf, type LeafContent, type RegularFile } from '../../tree/inode.js';
import type { Stat } from '../../tree/stat.js';
import { CHUNKS_MAX, planChunks } from '../chunks.js';
import { NAME_MAX, SYMLINK_TARGET_MAX } from '../format.js';
import { InvalidTreeError, type InvalidTreeKind } from './invalid-tree-error.js';

export interface ValidationOptions {
  /** Accepts what only the C tools write: whiteouts with several links, any 32 bits of nanoseconds. Default false. */
  readonly isCCompatible?: boolean;
}

const UINT32_MAX = 0xffffffff;
const NSEC_MAX = 999_999_999;

/**
 * Checks everything that must hold of a tree for it to be written as an image of any version (spec 20 §2.1); what
 * depends on the version (xattr sizes after escaping, content that only V0 and V1 can hold) is checked while writing.
 *
 * @throws InvalidTreeError naming the path of the first offender.
 */
export function validateTree(root: Directory, options: ValidationOptions = {}): void {
  const { isCCompatible = false } = options;
  const nsecMax = isCCompatible ? UINT32_MAX : NSEC_MAX;
  const seen = new Set([root]);
  const whiteouts = new Set<Leaf>();
  const pending: Visit[] = [{ directory: root, parent: undefined, name: undefined }];
  checkStat(root.stat, nsecMax, () => '/');
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    const { directory } = visit;
    const place = visit;
    for (const name of directory.names()) {
      const inode = directory.lookup(name);
      if (inode === undefined) continue;
      const path = (): string => pathOf(place, name);
      checkName(name, path);
      checkStat(inode.stat, nsecMax, path);
      if (inode instanceof Directory) {
        if (seen.has(inode)) throw invalid('linked-directory', 'directory has several parents', path);
        seen.add(inode);
        pending.push({ directory: inode, parent: place, name });
      } else {
        if (isWhiteout(inode.content) && !isCCompatible) {
          if (whiteouts.has(inode)) throw new InvalidTreeError('linked-whiteout', 'whiteout inode has nlink > 1');
          whiteouts.add(inode);
        }
        checkContent(inode.content, path);
      }
    }
  }
}

interface Visit {
  readonly directory: Directory;
  readonly parent: Visit | undefined;
  readonly name: ByteString | undefined;
}

function checkName(name: ByteString, path: () => string): void {
  if (name === '' || name === '.' || name === '..' || name.length > NAME_MAX) {
    throw invalid('name', 'a name must have 1 to 255 bytes and not be . or ..', path);
  }
  if (name.includes('/') || name.includes('\0')) throw invalid('name', 'a name must not contain / or NUL', path);
}

function checkStat(stat: Stat, nsecMax: number, path: () => string): void {
  if (!isUint(stat.uid, UINT32_MAX) || !isUint(stat.gid, UINT32_MAX)) {
    throw invalid('stat', `owner ${stat.uid}:${stat.gid} is not a pair of 32-bit numbers`, path);
  }
  if (!Number.isSafeInteger(stat.mtimeSec) || !isUint(stat.mtimeNsec, nsecMax)) {
    throw invalid('stat', `mtime ${stat.mtimeSec}.${stat.mtimeNsec} is out of range`, path);
  }
}

function checkContent(content: LeafContent, path: () => string): void {
  switch (content.type) {
    case 'regular':
      checkFile(content.file, path);
      return;
    case 'symlink':
      if (content.target === '' || content.target.length > SYMLINK_TARGET_MAX) {
        throw invalid('symlink-target', `symlink target has ${content.target.length} bytes (1 to 4095 possible)`, path);
      }
      return;
    case 'block-device':
    case 'character-device':
      if (!isUint(content.rdev, UINT32_MAX)) {
        throw invalid('device-number', `device number exceeds EROFS u32 limit: ${content.rdev}`, path);
      }
  }
}

function checkFile(file: RegularFile, path: () => string): void {
  if (file.storage === 'inline') return;
  if (!isUint(file.size, Number.MAX_SAFE_INTEGER) || planChunks(file.size).count > CHUNKS_MAX) {
    throw invalid('file-size', `File too large: ${file.size} bytes`, path);
  }
}

function isUint(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function invalid(kind: InvalidTreeKind, message: string, path: () => string): InvalidTreeError {
  return new InvalidTreeError(kind, `${message}: ${path()}`);
}

function pathOf(visit: Visit, name: ByteString): string {
  const names = [name];
  for (let at: Visit | undefined = visit; at?.name !== undefined; at = at.parent) names.push(at.name);
  return quoteBytes(`/${names.reverse().join('/')}` as ByteString);
}
