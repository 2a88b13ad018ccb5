import { type ImageFileSystem, openImageFileSystem, type ReadableRepository } from '../../composefs/index.js';
import { FileError } from '../../error-classes.js';
import { ComposefsError } from '../../errors.js';
import { findImage, findMountable, openImageFiles, openLayerFiles } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';

export interface ImageFilesOptions {
  /** Of one layer only. */
  readonly layer?: string;
}

/** Opens the files of an image that the command line names, and runs `action` with them. */
export async function withImageFiles<T>(
  context: Context,
  image: string,
  { layer }: ImageFilesOptions,
  action: (files: ImageFileSystem, repo: ReadableRepository) => Promise<T>,
): Promise<T> {
  return await withReadableRepository(context, async (repo) => {
    const files = await openFiles(repo, image, layer);
    try {
      return await action(files, repo);
    } catch (error) {
      throw error instanceof FileError ? fileErrorIn(image, error) : error;
    }
  });
}

/** An error of a path in an image, in words that tell whose path it is. */
function fileErrorIn(image: string, error: FileError): ComposefsError {
  const { code, path, message: cause } = error;
  const fail = (message: string, hint: string): ComposefsError => new ComposefsError(code, message, { hint });
  switch (code) {
    case 'ENOENT':
      return fail(
        `${path} is not in ${image}`,
        `\`cfsctl oci ls ${image}\` lists what is there, \`cfsctl oci find\` looks for it`,
      );
    case 'ENOTDIR':
      return fail(
        `${path} in ${image}: there is a file where a directory should be`,
        `\`cfsctl oci ls ${image}\` lists what is there`,
      );
    case 'EISDIR':
      return fail(`${path} in ${image} is a directory`, '`cfsctl oci ls` lists it, `cfsctl oci extract` copies it out');
    default:
      return new ComposefsError(code, `${image}: ${cause}`);
  }
}

async function openFiles(repo: ReadableRepository, name: string, layer: string | undefined): Promise<ImageFileSystem> {
  if (layer !== undefined) return await openLayerFiles(repo, await findImage(repo, name), layer);
  const found = await findMountable(repo, name, 'oci');
  return typeof found === 'string' ? await openImageFileSystem(repo, found) : await openImageFiles(repo, found);
}
