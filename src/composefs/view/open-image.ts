import { closeSync, fstatSync } from 'node:fs';
import { ComposefsError } from '../../errors.js';
import { DEFAULT_MAX_IMAGE_SIZE } from '../erofs/reader/image.js';
import { FsVerityHasher } from '../fsverity/hasher.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { ImageFileSystem } from './image-file-system.js';
import { type ObjectOpener, readRange } from './object-content.js';

/** What is needed of a repository. */
export interface ImageHost {
  readonly objects: ObjectOpener;
  /** `fd` is closed by the caller; `enableVerity` says that the kernel vouches for the image. */
  openImage(name: string): { readonly fd: number; readonly id: ObjectId; readonly enableVerity: boolean };
}

/** How far an image is checked before its files are read. */
export interface OpenImageFileSystemOptions {
  /** Whether image and objects are hashed before they are read, where the kernel does not vouch for them. */
  readonly verify?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens an image of a repository to look at its files without a mount. The repository must stay open.
 *
 * @param name a digest, or the name of a reference.
 * @throws ImageNotFoundError; ComposefsError `IMAGE_TOO_LARGE`, `DIGEST_MISMATCH`; ErofsReaderError
 */
export async function openImageFileSystem(
  repository: ImageHost,
  name: string,
  options: OpenImageFileSystemOptions = {},
): Promise<ImageFileSystem> {
  const { image, verify } = await readWholeImage(repository, name, options);
  return new ImageFileSystem(image, repository.objects, { verify });
}

/** The bytes of an image, and whether the kernel does not vouch for it although somebody has to. */
export async function readWholeImage(
  repository: ImageHost,
  name: string,
  options: OpenImageFileSystemOptions = {},
): Promise<{ readonly image: Buffer; readonly verify: boolean }> {
  const { signal } = options;
  signal?.throwIfAborted();
  const { objects } = repository;
  const { fd, id, enableVerity } = repository.openImage(name);
  const verify = options.verify === true && !enableVerity;
  try {
    const { size } = fstatSync(fd);
    if (size > DEFAULT_MAX_IMAGE_SIZE) {
      throw new ComposefsError('IMAGE_TOO_LARGE', `image of ${size} bytes is larger than ${DEFAULT_MAX_IMAGE_SIZE}`);
    }
    const hasher = new FsVerityHasher(objects.algorithm);
    const image = Buffer.allocUnsafeSlow(size);
    let length = 0;
    for await (const chunk of readRange(fd, id, 0, size)) {
      signal?.throwIfAborted();
      if (verify) hasher.update(chunk);
      length += chunk.copy(image, length);
    }
    if (verify && hasher.digest() !== id) {
      throw new ComposefsError('DIGEST_MISMATCH', `the image ${id} has the digest ${hasher.digest()}`);
    }
    return { image, verify };
  } finally {
    closeSync(fd);
  }
}
