import { withContext } from '../../../errors.js';
import { readFully, withFd } from '../../../fs/files.js';
import { collectObjects } from '../../erofs/reader/collect-objects.js';
import { DEFAULT_MAX_IMAGE_SIZE } from '../../erofs/reader/image.js';
import { readErofsTree } from '../../erofs/reader/read-tree.js';
import { type ObjectId, objectPathname } from '../../fsverity/object-id.js';
import type { Directory } from '../../tree/inode.js';
import type { RepositoryHost, SyncingHost } from '../objects/host.js';
import { validateRefName } from './names.js';
import { openImage } from './open-image.js';
import { createSymlink } from './symlink.js';

/** Storing images: links in `images/` to EROFS objects, and references to those (spec 10 §13). */

/**
 * Stores an image, lists it in `images/`, which allows to mount it, and names it if a name is given.
 *
 * The bytes are not checked: the caller vouches for them.
 */
export function writeImage(repository: SyncingHost, data: Uint8Array, ref?: string): ObjectId {
  if (ref !== undefined) validateRefName(ref);
  const { objects } = repository;
  const id = objects.ensureIntact(() => objects.storeObject(data));
  registerImages(repository, [id], ref);
  return id;
}

/**
 * Lists images that are objects already, and names the last of them if a name is given.
 *
 * Everything is brought to disk before: after a crash a listed image is complete.
 */
export function registerImages(repository: SyncingHost, ids: readonly ObjectId[], ref?: string): void {
  if (ref !== undefined) validateRefName(ref);
  repository.objects.ensureWritable();
  repository.sync();
  linkImages(repository, ids);
  const named = ids.at(-1);
  if (ref !== undefined && named !== undefined) createSymlink(repository.root, `images/refs/${ref}`, `images/${named}`);
}

/** Lists images that are on disk already. */
export function linkImages(repository: RepositoryHost, ids: readonly ObjectId[]): void {
  for (const id of ids) createSymlink(repository.root, `images/${id}`, `objects/${objectPathname(id)}`);
}

/** The objects that an image needs, without itself (spec 10 §13.3). */
export function objectsForImage(repository: RepositoryHost, name: string): Set<ObjectId> {
  return withContext(`Collecting objects for image '${name}'`, () => {
    const data = readImage(repository, name);
    return withContext('Collecting objects from erofs image data', () =>
      collectObjects(data, repository.objects.algorithm),
    );
  });
}

/** The tree that an image was made of. */
export function readImageTree(repository: RepositoryHost, name: string): Directory {
  const data = readImage(repository, name);
  return withContext(`Reading image '${name}'`, () => readErofsTree(data, repository.objects.algorithm));
}

function readImage(repository: RepositoryHost, name: string): Buffer {
  const { fd } = openImage(repository, name);
  return withFd(fd, () => withContext('Reading image data', () => readFully(fd, DEFAULT_MAX_IMAGE_SIZE)));
}
