import { type ByteString, quoteBytes } from '../../../bytes/byte-string.js';
import { UINT32_MAX } from '../../../bytes/integer.js';
import { NAME_MAX } from '../../../linux/constants.js';
import { runSteps, type Steps } from '../../../threads/turns.js';
import { Directory, isWhiteout, type Leaf, type LeafContent, type RegularFile } from '../../tree/inode.js';
import { type LeafTable, ROW_KIND } from '../../tree/leaf-table.js';
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
const ENTRIES_A_STEP = 16;

/**
 * Checks everything that must hold of a tree for it to be written as an image of any version (spec 20 §2.1); what
 * depends on the version (xattr sizes after escaping, content that only V0 and V1 can hold) is checked while writing.
 *
 * @throws InvalidTreeError naming the path of the first offender.
 */
export function validateTree(root: Directory, options: ValidationOptions = {}): void {
  runSteps(validationSteps(root, options));
}

/** {@link validateTree}; returns the number of entries of all directories. */
export function* validationSteps(root: Directory, options: ValidationOptions = {}): Steps<number> {
  const isCDialect = options.dialect === 'mkcomposefs';
  const nsecMax = isCDialect ? UINT32_MAX : NSEC_MAX;
  const seen = new Set([root]);
  const whiteouts = new Set<Leaf>();
  const pending: Visit[] = [{ directory: root, parent: undefined, name: undefined }];
  const rootProblem = problemOfStat(root.stat, nsecMax);
  if (rootProblem !== undefined) throw invalid(rootProblem, '/');
  let entries = 0;
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    const { names, children, leaves } = visit.directory.list();
    for (const [index, name] of names.entries()) {
      if (entries++ % ENTRIES_A_STEP === 0) yield;
      const child = children[index];
      if (child === undefined) continue;
      let problem = problemOfName(name);
      if (typeof child === 'number') {
        problem ??= problemOfRow(leaves, child, nsecMax);
      } else if (child instanceof Directory) {
        problem ??= problemOfStat(child.stat, nsecMax);
        if (seen.has(child)) problem ??= ['linked-directory', 'directory has several parents'];
        seen.add(child);
        pending.push({ directory: child, parent: visit, name });
      } else {
        problem ??= problemOfStat(child.stat, nsecMax);
        if (isWhiteout(child.content) && !isCDialect) {
          if (whiteouts.has(child)) throw new InvalidTreeError('linked-whiteout', 'whiteout inode has nlink > 1');
          whiteouts.add(child);
        }
        problem ??= problemOfContent(child.content);
      }
      if (problem !== undefined) throw invalid(problem, pathOf(visit, name));
    }
  }
  return entries;
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

/** What a row can hold that an image cannot. */
function problemOfRow(leaves: LeafTable, row: number, nsecMax: number): Problem {
  if (leaves.mtimeNsec(row) > nsecMax) return problemOfStat(leaves.stat(row), nsecMax);
  switch (leaves.kind(row)) {
    case ROW_KIND.INLINE:
    case ROW_KIND.FIFO:
    case ROW_KIND.SOCKET:
      return undefined;
    case ROW_KIND.SYMLINK:
    case ROW_KIND.BLOCK_DEVICE:
    case ROW_KIND.CHARACTER_DEVICE:
      return problemOfContent(leaves.content(row));
    case ROW_KIND.EXTERNAL:
    case ROW_KIND.EXTERNAL_ELSEWHERE:
    case ROW_KIND.NO_VERITY:
    case ROW_KIND.SPARSE:
      return problemOfSize(leaves.size(row));
  }
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
  return file.storage === 'inline' ? undefined : problemOfSize(file.size);
}

function problemOfSize(size: number): Problem {
  if (isUint(size, Number.MAX_SAFE_INTEGER) && planChunks(size).count <= CHUNKS_MAX) return undefined;
  return ['file-size', `File too large: ${size} bytes`];
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
