import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { type ImageFileSystem, openImageFileSystem } from '../../composefs/view/index.js';
import { ComposefsError } from '../../errors.js';
import { notAContainerImage } from '../store/errors.js';
import type { OciImage } from '../store/image.js';

/** How far an image is checked before its files are read. */
export interface ImageFilesOptions {
  readonly signal?: AbortSignal | undefined;
  /** Whether image and objects are hashed before they are read, where the kernel does not vouch for them. */
  readonly verify?: boolean | undefined;
}

/**
 * The files of a stored image, from the EROFS image that is linked to it: that of the repository's format, or another.
 * The repository must stay open.
 *
 * @throws ComposefsError `NOT_A_CONTAINER_IMAGE`, `NO_IMAGE`
 */
export async function openImageFiles(
  repo: ReadableRepository,
  image: OciImage,
  options: ImageFilesOptions = {},
): Promise<ImageFileSystem> {
  return await openImageFileSystem(repo, linkedErofs(repo, image), options);
}

/**
 * The EROFS image that is linked to a stored image: that of the repository's format, or another.
 *
 * @throws ComposefsError `NOT_A_CONTAINER_IMAGE`, `NO_IMAGE`
 */
export function linkedErofs(repo: ReadableRepository, image: OciImage): ObjectId {
  if (!image.isContainerImage()) {
    throw notAContainerImage(image.manifestDigest, image.manifest);
  }
  const id = image.imageRef(repo.erofsVersion) ?? image.imageRef(1) ?? image.imageRef(2);
  if (id === undefined) {
    throw new ComposefsError('NO_IMAGE', `No EROFS image is linked to ${image.manifestDigest}`, {
      hint: 'pull the image again: that builds it',
    });
  }
  return id;
}
