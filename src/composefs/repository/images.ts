import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsError, withContext } from '../../errors.js';
import { collectObjects, DEFAULT_MAX_IMAGE_SIZE } from '../erofs/index.js';
import { type ObjectId, objectPathname, parseObjectId } from '../fsverity/object-id.js';
import { closeOnError, openIfExists, readFully, withFd } from './files.js';
import type { RepositoryHost } from './host.js';
import { REFS, validateImageName, validateRefName } from './names.js';
import { createSymlink } from './symlink.js';

/** Images by name: links in `images/` to EROFS objects, and references to those (spec 10 §13). */

/** Code `IMAGE_NOT_FOUND`. Boot code takes it for "no such image"; all other errors are fatal to it. */
export class ImageNotFoundError extends ComposefsError {
  readonly imageName: string;

  constructor(name: string) {
    super('IMAGE_NOT_FOUND', `image not found: ${name}`);
    this.imageName = name;
  }
}

/**
 * Stores an image, lists it in `images/`, which allows to mount it, and names it if a name is given.
 *
 * The bytes are not checked: the caller vouches for them. Nothing is synced.
 */
export function writeImage(repository: RepositoryHost, data: Uint8Array, ref?: string): ObjectId {
  if (ref !== undefined) validateRefName(ref);
  const id = repository.objects.ensureObject(data);
  registerImage(repository, id, ref);
  return id;
}

/** {@link writeImage} for an image that is an object already. */
export function registerImage(repository: RepositoryHost, id: ObjectId, ref?: string): void {
  if (ref !== undefined) validateRefName(ref);
  repository.objects.ensureWritable();
  createSymlink(repository.path, `images/${id}`, `objects/${objectPathname(id)}`);
  if (ref !== undefined) createSymlink(repository.path, `images/refs/${ref}`, `images/${id}`);
}

/** Whether an image of that digest is listed in `images/`; whether its object is there is not checked. */
export function hasImage(repository: RepositoryHost, id: ObjectId): boolean {
  return lstatSync(join(repository.path, 'images', id), { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
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

/** The objects that an image needs, without itself (spec 10 §13.3). */
export function objectsForImage(repository: RepositoryHost, name: string): Set<ObjectId> {
  return withContext(`Collecting objects for image '${name}'`, () => {
    const { fd } = openImage(repository, name);
    const data = withFd(fd, () => withContext('Reading image data', () => readFully(fd, DEFAULT_MAX_IMAGE_SIZE)));
    return withContext('Collecting objects from erofs image data', () =>
      collectObjects(data, repository.objects.algorithm),
    );
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
