import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError, errorCode } from '../../errors.js';
import { findMountable } from './find-mountable.js';
import { findStream } from './find-stream.js';
import { manifestIdentifier } from './identifiers.js';

/** Codes of what says only that there is nothing of that name. */
const ABSENT: readonly string[] = ['OCI_REF_NOT_FOUND', 'OCI_IMAGE_NOT_FOUND'];

/**
 * The entry of `streams/` or `images/` that a collection is to keep: by its name; an image as {@link findMountable} takes
 * it, which is kept with its manifest; or a stream as {@link findStream} takes it.
 *
 * @returns undefined if there is none.
 * @throws ComposefsError `AMBIGUOUS_IMAGE`, `AMBIGUOUS_STREAM`
 */
export async function findRoot(repo: ReadableRepository, text: string): Promise<string | undefined> {
  if (hasEntry(repo, text)) return text;
  try {
    const found = await findMountable(repo, text, 'oci');
    return typeof found === 'string' ? found : manifestIdentifier(found.manifestDigest);
  } catch (error) {
    if (!(error instanceof ComposefsError) || !ABSENT.includes(errorCode(error))) throw error;
    return findStream(repo, text);
  }
}

function hasEntry(repo: ReadableRepository, name: string): boolean {
  if (name.includes('/') || name === '' || /[\0\p{Surrogate}]/u.test(name) || Buffer.byteLength(name) > 255)
    return false;
  return ['streams', 'images'].some((category) => repo.root.lstat(`${category}/${name}`)?.isSymbolicLink() === true);
}
