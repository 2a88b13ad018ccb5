import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsError, withContext } from '../../errors.js';
import { type ObjectId, objectPathname, parseObjectId } from '../fsverity/object-id.js';
import { closeOnError, isErrno, openIfExists } from './files.js';
import type { RepositoryHost } from './host.js';
import { REFS, validateImageName } from './names.js';

/** Finding images by name (spec 10 §13.4). */

/** Code `IMAGE_NOT_FOUND`. Boot code takes it for "no such image"; all other errors are fatal to it. */
export class ImageNotFoundError extends ComposefsError {
  readonly imageName: string;

  constructor(name: string) {
    super('IMAGE_NOT_FOUND', `image not found: ${name}`);
    this.imageName = name;
  }
}

/** Whether an image of that digest is listed in `images/`, by the right link; whether its object is there is not checked. */
export function hasImage(repository: RepositoryHost, id: ObjectId): boolean {
  try {
    return readlinkSync(join(repository.path, 'images', id)) === `../objects/${objectPathname(id)}`;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EINVAL')) return false;
    throw error;
  }
}

export interface OpenImage {
  /** Closed by the caller. */
  readonly fd: number;
  /** Whether the kernel is to insist on fs-verity of the data files when the image is mounted. */
  readonly enableVerity: boolean;
}

/**
 * Opens an image by its digest, by `refs/<name>`, or by the name of a reference without a slash (spec 10 §13.4).
 *
 * @throws ImageNotFoundError, also where the entry is there and its object is gone.
 */
export function openImage(repository: RepositoryHost, name: string): OpenImage {
  return withContext(`Opening image '${name}'`, () => {
    const images = join(repository.path, 'images');
    const fd = openIfExists(join(images, validateImageName(name)));
    const isPath = name.includes('/');
    if (fd !== undefined) {
      return closeOnError(fd, () => (isPath ? openedByRef(repository, fd) : openedByDigest(repository, fd, name)));
    }
    const refFd = isPath ? undefined : openIfExists(join(images, REFS, name));
    if (refFd === undefined) throw new ImageNotFoundError(name);
    return closeOnError(refFd, () => openedByRef(repository, refFd));
  });
}

/**
 * A reference names an image without stating its digest, so there is nothing to compare. In an insecure repository
 * without verity on the file, asking the kernel for verity would only make the mount fail.
 */
function openedByRef(repository: RepositoryHost, fd: number): OpenImage {
  const { verity } = repository.objects;
  return { fd, enableVerity: !repository.objects.insecure || verity.isEnabled(fd) };
}

function openedByDigest(repository: RepositoryHost, fd: number, name: string): OpenImage {
  const { verity, algorithm } = repository.objects;
  if (repository.objects.insecure && !verity.isEnabled(fd)) return { fd, enableVerity: false };
  const measured = withContext('Measuring image verity digest', () => verity.measure(fd));
  const expected = withContext('Parsing expected verity hash from image name', () => parseObjectId(algorithm, name));
  if (measured !== expected) throw new ComposefsError('DIGEST_MISMATCH', 'fs-verity content mismatch');
  return { fd, enableVerity: true };
}
