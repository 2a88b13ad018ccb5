import { withContext } from '../../errors.js';
import { collectObjects } from '../erofs/reader/collect-objects.js';
import { DEFAULT_MAX_IMAGE_SIZE } from '../erofs/reader/image.js';
import { type ObjectId, objectPathname } from '../fsverity/object-id.js';
import { readFully, withFd } from './files.js';
import type { RepositoryHost } from './host.js';
import { validateRefName } from './names.js';
import { openImage } from './open-image.js';
import { createSymlink } from './symlink.js';

/** Storing images: links in `images/` to EROFS objects, and references to those (spec 10 §13). */

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
