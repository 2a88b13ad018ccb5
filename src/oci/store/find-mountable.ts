import { digestSize } from '../../composefs/fsverity/algorithm.js';
import { listEntries } from '../../composefs/repository/names/category.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError, errorCode } from '../../errors.js';
import { withFd } from '../../fs/files.js';
import { MIN_DIGITS } from './digest-text.js';
import { OciImageNotFound, OciRefNotFound } from './errors.js';
import { findImage } from './find-image.js';
import type { OciImage } from './image.js';

/** What has a file system: an OCI image, or the name by which an EROFS image is opened. */
export type Mountable = OciImage | string;

/**
 * What a text names that has a file system:
 *
 * - an OCI image, as {@link findImage} takes it;
 * - an EROFS image by its id, by the first 8 or more digits of that, or by the name of its reference.
 *
 * @param first which kind it is if it can be both, or if it is neither.
 * @returns for `erofs` the text itself if it is neither: opening it says that there is no such image.
 * @throws for `oci` what `findImage` throws if it is neither; ComposefsError `AMBIGUOUS_IMAGE`
 */
export async function findMountable(
  repo: ReadableRepository,
  text: string,
  first: 'oci' | 'erofs',
): Promise<Mountable> {
  if (first === 'erofs' && hasErofsImage(repo, text)) return text;
  try {
    return await findImage(repo, text);
  } catch (error) {
    if (!(error instanceof OciRefNotFound || error instanceof OciImageNotFound)) throw error;
    if (first === 'oci' && hasErofsImage(repo, text)) return text;
    const id = erofsImageByStart(repo, text);
    if (id !== undefined) return id;
    if (first === 'erofs') return text;
    throw error;
  }
}

/**
 * The name by which the EROFS image is opened that a text names by itself, or as the one linked to an OCI image.
 *
 * @throws OciErofsNotFound; ComposefsError `NOT_A_CONTAINER_IMAGE`, `AMBIGUOUS_IMAGE`
 */
export async function findErofsName(repo: ReadableRepository, text: string): Promise<string> {
  const found = await findMountable(repo, text, 'erofs');
  return typeof found === 'string' ? found : found.erofsImageRef(repo, false);
}

function hasErofsImage(repo: ReadableRepository, name: string): boolean {
  try {
    return withFd(repo.openImage(name).fd, () => true);
  } catch (error) {
    // What is there and damaged is for the user of the image to complain about.
    return !['IMAGE_NOT_FOUND', 'INVALID_NAME'].includes(errorCode(error));
  }
}

/** @throws ComposefsError `AMBIGUOUS_IMAGE` */
function erofsImageByStart(repo: ReadableRepository, text: string): string | undefined {
  const length = 2 * digestSize(repo.algorithm);
  if (!/^[0-9a-f]+$/.test(text) || text.length < MIN_DIGITS || text.length > length) return undefined;
  const names = listEntries(repo, 'images').flatMap(({ name }) => (name.startsWith(text) ? [name as string] : []));
  const [first, second] = names.filter((name) => name.length === length).sort();
  if (second === undefined) return first;
  const message = `${text} is the beginning of several EROFS images: ${first}, ${second}${names.length > 2 ? ', …' : ''}`;
  throw new ComposefsError('AMBIGUOUS_IMAGE', message, { hint: 'give more digits' });
}
