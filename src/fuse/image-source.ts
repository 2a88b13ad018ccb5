import { closeSync, fstatSync } from 'node:fs';
import { DEFAULT_MAX_IMAGE_SIZE, ErofsImage } from '../composefs/erofs/reader/image.js';
import type { HashAlgorithm } from '../composefs/fsverity/algorithm.js';
import { computeVerity } from '../composefs/fsverity/digest.js';
import { type ObjectId, parseObjectId } from '../composefs/fsverity/object-id.js';
import type { MountableRepository } from '../composefs/mount/index.js';
import { ComposefsError, withContext } from '../errors.js';
import { readInto } from '../fs/files.js';
import type { ExpectedDigest } from './object-files.js';

/** What serving needs of a repository. */
export interface FuseRepository extends MountableRepository {
  readonly algorithm: HashAlgorithm;
  openImage(name: string): { readonly fd: number; readonly id: ObjectId; readonly enableVerity: boolean };
}

/** An image to serve; the descriptors are the caller's. */
export interface ImageSource {
  readonly imageFd: number;
  /** Of `objects/`. */
  readonly objectsFd: number;
  /** Whether objects are to be checked. */
  readonly verify: boolean;
  /** Whether the image file has fs-verity, and so the objects: the kernel can check them. */
  readonly kernelVerity: boolean;
  /** The digest that the image must have, unless the kernel has vouched for it. */
  readonly expected: ExpectedDigest | undefined;
}

/**
 * Opens an image of a repository to serve it.
 *
 * @param name a digest, or the name of a reference.
 * @param verify default: as the kernel mount would (spec 50 §18). True also checks where there is no fs-verity.
 * @throws ImageNotFoundError; MeasureVerityError; ComposefsError `DIGEST_MISMATCH`
 */
export function openImageSource(repository: FuseRepository, name: string, verify: boolean | undefined): ImageSource {
  const { fd: imageFd, id, enableVerity } = repository.openImage(name);
  try {
    return {
      imageFd,
      objectsFd: repository.openObjectsDirectory(),
      verify: verify ?? enableVerity,
      kernelVerity: enableVerity,
      expected: verify === true && !enableVerity ? expectedDigest(repository, name, id) : undefined,
    };
  } catch (error) {
    closeSync(imageFd);
    throw error;
  }
}

export function closeImageSource({ imageFd, objectsFd }: ImageSource): void {
  closeSync(imageFd);
  closeSync(objectsFd);
}

/**
 * An image in memory that threads can share.
 *
 * @throws ComposefsError `IMAGE_TOO_LARGE`, `DIGEST_MISMATCH`; ErofsReaderError if it has no readable root.
 */
export function loadImage({ imageFd, expected }: Pick<ImageSource, 'imageFd' | 'expected'>): SharedArrayBuffer {
  const { size } = fstatSync(imageFd);
  if (size > DEFAULT_MAX_IMAGE_SIZE) {
    throw new ComposefsError(
      'IMAGE_TOO_LARGE',
      `image of ${size} bytes is larger than ${DEFAULT_MAX_IMAGE_SIZE} bytes`,
    );
  }
  const shared = new SharedArrayBuffer(size);
  const bytes = Buffer.from(shared);
  if (readInto(imageFd, bytes, 0) < size) {
    throw new ComposefsError('INVALID_IMAGE', 'the image became shorter while it was read');
  }
  if (expected !== undefined) {
    const found = computeVerity(expected.algorithm, bytes);
    if (found !== expected.id) {
      throw new ComposefsError('DIGEST_MISMATCH', `the image has the digest ${found}, not ${expected.id}`);
    }
  }
  const root = withContext('Reading the image', () => ErofsImage.open(bytes).root());
  if (!root.isDirectory) throw new ComposefsError('INVALID_IMAGE', 'the root of the image is not a directory');
  return shared;
}

/** A name that is a digest says what the image must be; otherwise the reference leads to an object, whose name does. */
function expectedDigest({ algorithm }: FuseRepository, name: string, linked: ObjectId): ExpectedDigest {
  try {
    return { algorithm, id: parseObjectId(algorithm, name) };
  } catch {
    return { algorithm, id: linked };
  }
}
