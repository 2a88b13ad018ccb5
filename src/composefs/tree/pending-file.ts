import type { BigIntStats } from 'node:fs';
import type { ByteString } from '../../bytes/byte-string.js';
import { safeInteger } from '../../bytes/integer.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { Leaf } from './inode.js';
import { contentError, joinPath, leafError, type ScanError, type ScanPlace, scanError } from './scan-error.js';
import type { Stat } from './stat.js';

/** A large file in a tree whose content somebody else is to read. */
export interface PendingFile {
  /** Absolute, or from the working directory. */
  readonly path: ByteString;
  /** What the file was when the tree was read: it must not be another one when its content is. */
  readonly identity: FileIdentity;
  /** Gives the tree the object of the content. */
  readonly resolve: (id: ObjectId) => void;
  /** The error of the whole scan, if the content cannot be had. */
  readonly failure: (cause: unknown) => ScanError;
}

/** Plain data. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  /** Bytes. */
  readonly size: number;
}

/** Longer paths can only be opened from a directory on the way. */
const PATH_LENGTH_MAX = 4000;

export function canBePending(place: ScanPlace, name: ByteString): boolean {
  return place.path.length + name.length < PATH_LENGTH_MAX;
}

/** A leaf whose file is added to `pending`. */
export function pendingLeaf(
  pending: PendingFile[],
  stat: Stat,
  { dev, ino, mtimeNs, size: bytes }: BigIntStats,
  place: ScanPlace,
  name: ByteString,
): Leaf {
  const size = safeInteger(bytes, 'file size');
  const leaf = new Leaf(stat, { type: 'regular', file: { storage: 'sparse', size } });
  pending.push({
    path: joinPath(place.path, name),
    identity: { dev, ino, mtimeNs, size },
    resolve: (id) => {
      leaf.content = { type: 'regular', file: { storage: 'external', id, size } };
    },
    failure: (cause) => scanError(place, name, leafError(name, contentError(cause))),
  });
  return leaf;
}
