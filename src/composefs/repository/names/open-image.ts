import { ComposefsError, withContext } from '../../../errors.js';
import { closeOnError } from '../../../fs/files.js';
import { type ObjectId, objectIdFromPathname, objectPathname, parseObjectId } from '../../fsverity/object-id.js';
import { followLinks } from '../directory/follow-links.js';
import type { RepositoryHost } from '../objects/host.js';
import { REFS, validateImageName } from './names.js';

/** Finding images by name (spec 10 §13.4). */

/** Code `IMAGE_NOT_FOUND`. Boot code takes it for "no such image"; all other errors are fatal to it. */
export class ImageNotFoundError extends ComposefsError {
  readonly imageName: string;

  constructor(name: string) {
    super('IMAGE_NOT_FOUND', `image not found: ${name}`, {
      hint: '`cfsctl images` lists the named images, `cfsctl oci images` the tags',
    });
    this.imageName = name;
  }
}

/** Whether an image of that digest is listed in `images/`, by the right link; whether its object is there is not checked. */
export function hasImage(repository: RepositoryHost, id: ObjectId): boolean {
  const { root } = repository;
  const path = `images/${id}`;
  if (root.lstat(path)?.isSymbolicLink() !== true) return false;
  return root.readLink(path)?.toString() === `../objects/${objectPathname(id)}`;
}

/** An image that was found by its name and opened. */
export interface OpenImage {
  /** Closed by the caller. */
  readonly fd: number;
  /** The object that the name leads to. */
  readonly id: ObjectId;
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
    const isPath = name.includes('/');
    const file = openEntry(repository, `images/${validateImageName(name)}`);
    if (file !== undefined) {
      return closeOnError(file.fd, () =>
        isPath ? openedByRef(repository, file) : openedByDigest(repository, file, name),
      );
    }
    const refFile = isPath ? undefined : openEntry(repository, `images/${REFS}/${name}`);
    if (refFile === undefined) throw new ImageNotFoundError(name);
    return closeOnError(refFile.fd, () => openedByRef(repository, refFile));
  });
}

type ImageFile = Pick<OpenImage, 'fd' | 'id'>;

/** The object that a link in `images/` leads to, unverified; the caller closes it. @throws ImageNotFoundError */
export function openImageFile(repository: RepositoryHost, path: string): number {
  const file = openEntry(repository, path);
  if (file === undefined) throw new ImageNotFoundError(path);
  return file.fd;
}

/** Opens the object that a link in `images/` leads to, unverified; undefined if there is no link or no object. */
function openEntry({ root, objects }: RepositoryHost, path: string): ImageFile | undefined {
  const target = followLinks(root, path)?.toString('latin1');
  if (target === undefined) return undefined;
  const id = withContext(`Parsing the object id of ${path}`, () => objectIdFromPathname(objects.algorithm, target));
  if (target !== `objects/${objectPathname(id)}`) {
    throw new ComposefsError('INVALID_LINK', `${path} leads to ${target}, which is no object`);
  }
  const fd = root.openFileIfExists(target);
  return fd === undefined ? undefined : { fd, id };
}

/**
 * A reference names an image without stating its digest, so there is nothing to compare. In an insecure repository
 * without verity on the file, asking the kernel for verity would only make the mount fail.
 */
function openedByRef(repository: RepositoryHost, file: ImageFile): OpenImage {
  const { verity } = repository.objects;
  return { ...file, enableVerity: !repository.objects.insecure || verity.isEnabled(file.fd) };
}

function openedByDigest(repository: RepositoryHost, file: ImageFile, name: string): OpenImage {
  const { verity, algorithm } = repository.objects;
  if (repository.objects.insecure && !verity.isEnabled(file.fd)) return { ...file, enableVerity: false };
  const measured = withContext('Measuring image verity digest', () => verity.measure(file.fd));
  const expected = withContext('Parsing expected verity hash from image name', () => parseObjectId(algorithm, name));
  if (measured !== expected) throw new ComposefsError('DIGEST_MISMATCH', 'fs-verity content mismatch');
  return { ...file, enableVerity: true };
}
