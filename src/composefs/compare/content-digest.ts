import { byteStringToText } from '../../bytes/byte-string.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { computeVerity } from '../fsverity/digest.js';
import { FsVerityHasher } from '../fsverity/hasher.js';
import { type ObjectId, objectIdFromPathname } from '../fsverity/object-id.js';
import { fileSize, type RegularFile } from '../tree/inode.js';

/** The fs-verity digest of a file's content: that of its object, or else computed. @throws HexParseError */
export function contentDigest(file: RegularFile, algorithm: HashAlgorithm): ObjectId {
  switch (file.storage) {
    case 'external':
      return file.id;
    case 'external-no-verity':
      return objectIdFromPathname(algorithm, byteStringToText(file.payload));
    case 'inline':
      return computeVerity(algorithm, file.data);
    case 'sparse':
      return new FsVerityHasher(algorithm).updateZeros(file.size).digest();
  }
}

/** Whether two files show the same bytes. */
export function haveSameContent(a: RegularFile, b: RegularFile, algorithm: HashAlgorithm): boolean {
  if (fileSize(a) !== fileSize(b)) return false;
  if (a.storage === 'inline' && b.storage === 'inline') return a.data.equals(b.data);
  if (a.storage === 'sparse' && b.storage === 'sparse') return true;
  return contentDigest(a, algorithm) === contentDigest(b, algorithm);
}
