import type { ComparableTree } from '../../composefs/compare/comparable-tree.js';
import { type CompareOptions, compareTrees } from '../../composefs/compare/compare-trees.js';
import type { Difference } from '../../composefs/compare/difference.js';
import { DirectoryTree } from '../../composefs/compare/directory-tree.js';
import { ImageTree } from '../../composefs/compare/image-tree.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { LazyDirectory } from '../../composefs/scan/lazy-directory.js';
import { readWholeImage } from '../../composefs/view/open-image.js';
import type { ProgressReporter } from '../../progress.js';
import { linkedErofs } from '../files/image-files.js';
import type { OciImage } from '../store/image.js';
import { transformForOci, type XattrFiltering } from '../tree/transform.js';

/** What can be compared: a stored image, an EROFS image by digest or name, a directory on disk. */
export type Compared =
  | { readonly kind: 'image'; readonly image: OciImage }
  | { readonly kind: 'erofs'; readonly name: string }
  | { readonly kind: 'directory'; readonly path: string };

/** What counts as a difference, and how directories are taken. */
export interface CompareImagesOptions extends CompareOptions {
  /**
   * Takes directories as an image of them would be: root metadata of `/usr`, an empty `/run`, xattrs filtered. By
   * default they are taken as they are.
   */
  readonly directoriesAsImages?: XattrFiltering | undefined;
  /** Told how many of the files on disk have been read. */
  readonly progress?: ProgressReporter | undefined;
}

/**
 * How the files of the second thing differ from those of the first, in the order of the paths. Files on disk are read
 * only where type and size do not tell, and may be renamed ones.
 *
 * @throws ComposefsError `NOT_A_CONTAINER_IMAGE`, `NO_IMAGE`; ImageNotFoundError; ErofsReaderError; ScanError
 */
export async function compareImages(
  repo: ReadableRepository,
  first: Compared,
  second: Compared,
  options: CompareImagesOptions = {},
): Promise<Difference[]> {
  const names = [first, second].map((compared) => erofsName(repo, compared));
  // The digest of an image is that of everything in it.
  if (names[0] !== undefined && names[0] === names[1]) return [];
  return await compareTrees(
    await openTree(repo, first, names[0], options),
    await openTree(repo, second, names[1], options),
    options,
  );
}

function erofsName(repo: ReadableRepository, compared: Compared): string | undefined {
  if (compared.kind === 'image') return linkedErofs(repo, compared.image);
  return compared.kind === 'erofs' ? compared.name : undefined;
}

async function openTree(
  repo: ReadableRepository,
  compared: Compared,
  erofs: string | undefined,
  { directoriesAsImages, signal, progress }: CompareImagesOptions,
): Promise<ComparableTree> {
  const { algorithm } = repo;
  if (compared.kind !== 'directory') return new ImageTree((await readWholeImage(repo, erofs ?? '')).image, algorithm);
  const directory = await LazyDirectory.scan(compared.path, { algorithm, signal, progress });
  if (directoriesAsImages !== undefined) transformForOci(directory.root, { xattrs: directoriesAsImages });
  return DirectoryTree.ofLazy(directory);
}
