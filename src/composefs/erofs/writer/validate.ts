import { type ByteString, quoteBytes } from '../../../bytes/byte-string.js';
import { UINT32_MAX } from '../../../bytes/integer.js';
import { NAME_MAX } from '../../../linux/constants.js';
import { runSteps, type Steps } from '../../../threads/turns.js';
import { Directory, isWhiteout, type Leaf, type LeafContent, type RegularFile } from '../../tree/inode.js';
import { SYMLINK_TARGET_MAX } from '../../tree/limits.js';
import type { Stat } from '../../tree/stat.js';
import { CHUNKS_MAX, planChunks } from '../format/chunks.js';
import { InvalidTreeError, type InvalidTreeKind } from './invalid-tree-error.js';
import type { ErofsDialect } from './options.js';

export interface ValidationOptions {
  /** `mkcomposefs` takes whiteouts with several links, and any 32 bits of nanoseconds. Default `composefs-rs`. */
  readonly dialect?: ErofsDialect;
}

const NSEC_MAX = 999_999_999;

/**
 * Checks everything that must hold of a tree for it to be written as an image of any version (spec 20 §2.1); what
 * depends on the version (xattr sizes after escaping, content that only V0 and V1 can hold) is checked while writing.
 *
 * @throws InvalidTreeError naming the path of the first offender.
 */
export function validateTree(root: Directory, options: ValidationOptions = {}): void {
  runSteps(validationSteps(root, options));
}

/** {@link validateTree}. */
export function* validationSteps(root: Directory, options: ValidationOptions = {}): Steps<void> {
  const isCDialect = options.dialect === 'mkcomposefs';
  const nsecMax = isCDialect ? UINT32_MAX : NSEC_MAX;
  const seen = new Set([root]);
  const whiteouts = new Set<Leaf>();
  const pending: Visit[] = [{ directory: root, parent: undefined, name: undefined }];
  const rootProblem = problemOfStat(root.stat, nsecMax);
  if (rootProblem !== undefined) throw invalid(rootProblem, '/');
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    yield;
    const { directory } = visit;
    for (const name of directory.names()) {
      const inode = directory.lookup(name);
      if (inode === undefined) continue;
      let problem = problemOfName(name) ?? problemOfStat(inode.stat, nsecMax);
      if (inode instanceof Directory) {
        if (seen.has(inode)) problem ??= ['linked-directory', 'directory has several parents'];
        seen.add(inode);
        pending.push({ directory: inode, parent: visit, name });
      } else {
        if (isWhiteout(inode.content) && !isCDialect) {
          if (whiteouts.has(inode)) throw new InvalidTreeError('linked-whiteout', 'whiteout inode has nlink > 1');
          whiteouts.add(inode);
        }
        problem ??= problemOfContent(inode.content);
      }
      if (problem !== undefined) throw invalid(problem, pathOf(visit, name));
    }
  }
}

interface Visit {
  readonly directory: Directory;
  readonly parent: Visit | undefined;
  readonly name: ByteString | undefined;
}

type Problem = readonly [kind: InvalidTreeKind, message: string] | undefined;

function problemOfName(name: ByteString): Problem {
  if (name === '' || name === '.' || name === '..' || name.length > NAME_MAX) {
    return ['name', 'a name must have 1 to 255 bytes and not be . or ..'];
  }
  if (name.includes('/') || name.includes('\0')) return ['name', 'a name must not contain / or NUL'];
  return undefined;
}

function problemOfStat(stat: Stat, nsecMax: number): Problem {
  if (!isUint(stat.uid, UINT32_MAX) || !isUint(stat.gid, UINT32_MAX)) {
    return ['stat', `owner ${stat.uid}:${stat.gid} is not a pair of 32-bit numbers`];
  }
  if (!Number.isSafeInteger(stat.mtimeSec) || !isUint(stat.mtimeNsec, nsecMax)) {
    return ['stat', `mtime ${stat.mtimeSec}.${stat.mtimeNsec} is out of range`];
  }
  return undefined;
}

function problemOfContent(content: LeafContent): Problem {
  switch (content.type) {
    case 'regular':
      return problemOfFile(content.file);
    case 'symlink':
      if (content.target !== '' && content.target.length <= SYMLINK_TARGET_MAX) return undefined;
      return ['symlink-target', `symlink target has ${content.target.length} bytes (1 to 4095 possible)`];
    case 'block-device':
    case 'character-device':
      if (isUint(content.rdev, UINT32_MAX)) return undefined;
      return ['device-number', `device number exceeds EROFS u32 limit: ${content.rdev}`];
    default:
      return undefined;
  }
}

function problemOfFile(file: RegularFile): Problem {
  if (file.storage === 'inline') return undefined;
  if (isUint(file.size, Number.MAX_SAFE_INTEGER) && planChunks(file.size).count <= CHUNKS_MAX) return undefined;
  return ['file-size', `File too large: ${file.size} bytes`];
}

function isUint(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function invalid([kind, message]: NonNullable<Problem>, path: string): InvalidTreeError {
  return new InvalidTreeError(kind, `${message}: ${path}`);
}

function pathOf(visit: Visit, name: ByteString): string {
  const names = [name];
  for (let at: Visit | undefined = visit; at?.name !== undefined; at = at.parent) names.push(at.name);
  return quoteBytes(`/${names.reverse().join('/')}` as ByteString);
}
