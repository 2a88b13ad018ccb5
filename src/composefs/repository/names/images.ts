import { closeSync } from 'node:fs';
import { ContextError, withContext } from '../../../errors.js';
import { readFullySteps } from '../../../fs/files.js';
import { runInTurns, runSteps, type Steps } from '../../../threads/turns.js';
import { readErofsTree } from '../../erofs/in-turns.js';
import { collectObjectSteps } from '../../erofs/reader/collect-objects.js';
import { DEFAULT_MAX_IMAGE_SIZE } from '../../erofs/reader/image.js';
import type { ObjectIdTable } from '../../fsverity/id-table.js';
import { type ObjectId, objectPathname } from '../../fsverity/object-id.js';
import type { Directory } from '../../tree/inode.js';
import type { RepositoryHost } from '../objects/host.js';
import { validateRefName } from './names.js';
import { openImage } from './open-image.js';
import { createSymlink } from './symlink.js';

/** Storing images: links in `images/` to EROFS objects, and references to those (spec 10 §13). */

/** Points the reference to a listed image, also if it pointed elsewhere. */
export function nameImage(repository: RepositoryHost, id: ObjectId, ref: string): void {
  createSymlink(repository.root, `images/refs/${validateRefName(ref)}`, `images/${id}`);
}

/** Lists images that are on disk already in `images/`, which allows to mount them. */
export function linkImages(repository: RepositoryHost, ids: readonly ObjectId[]): void {
  for (const id of ids) createSymlink(repository.root, `images/${id}`, `objects/${objectPathname(id)}`);
}

/** The objects that an image needs, without itself (spec 10 §13.3). */
export function objectsForImage(repository: RepositoryHost, name: string): ObjectIdTable {
  return withContext(`Collecting objects for image '${name}'`, () => {
    const data = runSteps(readImageSteps(repository, name));
    return withContext('Collecting objects from erofs image data', () =>
      runSteps(collectObjectSteps(data, repository.objects.algorithm)),
    );
  });
}

/** The tree that an image was made of. */
export async function readImageTree(
  repository: RepositoryHost,
  name: string,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<Directory> {
  const { signal } = options;
  signal?.throwIfAborted();
  const data = await runInTurns(readImageSteps(repository, name), signal);
  try {
    return await readErofsTree(data, repository.objects.algorithm, options);
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ContextError(`Reading image '${name}'`, cause);
  }
}

function* readImageSteps(repository: RepositoryHost, name: string): Steps<Buffer> {
  const { fd } = openImage(repository, name);
  try {
    return yield* readFullySteps(fd, DEFAULT_MAX_IMAGE_SIZE);
  } catch (cause) {
    throw new ContextError('Reading image data', cause);
  } finally {
    closeSync(fd);
  }
}
