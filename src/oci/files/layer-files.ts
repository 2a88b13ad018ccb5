import { erofsSteps } from '../../composefs/erofs/writer/write.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { Directory } from '../../composefs/tree/inode.js';
import { DEFAULT_DIRECTORY_STAT } from '../../composefs/tree/stat.js';
import { ImageFileSystem } from '../../composefs/view/index.js';
import { ComposefsError } from '../../errors.js';
import { runInTurns, Turns } from '../../threads/turns.js';
import { LayerApplier } from '../layer/apply-layer.js';
import { openLayerSteps } from '../layer/layer-content.js';
import { LayerDifferences } from '../layer/layer-rules.js';
import { readTarEntries } from '../layer/tar-entry.js';
import { firstDigits } from '../store/digest-text.js';
import { notAContainerImage } from '../store/errors.js';
import type { OciImage } from '../store/image.js';
import type { ImageFilesOptions } from './image-files.js';

/**
 * The files of one layer of a stored image, without the layers below it: whiteouts are files of their names (`.wh.…`), and
 * a hard link to what only a lower layer has is shown as a symlink. The repository must stay open.
 *
 * @param layer its number, the lowest is 1; or its diff_id, or the first 8 or more digits of that.
 * @throws ComposefsError `LAYER_NOT_FOUND`, `NOT_A_CONTAINER_IMAGE`
 */
export async function openLayerFiles(
  repo: ReadableRepository,
  image: OciImage,
  layer: string,
  { signal }: Pick<ImageFilesOptions, 'signal'> = {},
): Promise<ImageFileSystem> {
  const { objects, algorithm } = repo;
  const reader = await runInTurns(openLayerSteps(objects, layerOf(image, layer)), signal);
  const turns = new Turns(signal);
  const root = new Directory(DEFAULT_DIRECTORY_STAT);
  try {
    const applier = new LayerApplier(root, new LayerDifferences(), { showLayer: true });
    for (const entry of readTarEntries(reader)) {
      applier.apply(entry);
      if (turns.isOver()) await turns.next();
    }
  } finally {
    reader.close();
  }
  // The format that allows the longest symlinks. Nobody sees the image.
  return new ImageFileSystem(await runInTurns(erofsSteps(root, { version: 1, algorithm }), signal), objects);
}

/**
 * The diff_id of a layer of an image.
 *
 * @param layer its number, the lowest is 1; or its diff_id, or the first 8 or more digits of that.
 * @throws ComposefsError `LAYER_NOT_FOUND`, `NOT_A_CONTAINER_IMAGE`, `AMBIGUOUS_LAYER`
 */
export function findLayer(image: OciImage, layer: string): string {
  const diffIds = image.layerDiffIds();
  if (!image.isContainerImage()) {
    throw notAContainerImage(image.manifestDigest, image.manifest, 'which has no layers with files');
  }
  if (/^[1-9]\d{0,5}$/.test(layer) && Number(layer) <= diffIds.length) return diffIds[Number(layer) - 1] ?? '';
  const start = firstDigits(layer);
  const found = new Set(start === undefined ? [] : diffIds.filter((each) => each.startsWith(start)));
  const [diffId] = found;
  if (found.size > 1) {
    const message = `${layer} could be ${found.size} layers of the image: ${[...found].join(', ')}`;
    throw new ComposefsError('AMBIGUOUS_LAYER', message, { hint: 'give more digits' });
  }
  if (diffId !== undefined) return diffId;
  const many = `${diffIds.length} ${diffIds.length === 1 ? 'layer' : 'layers'}`;
  throw new ComposefsError('LAYER_NOT_FOUND', `The image has ${many}, and none that is ${layer}`, {
    hint: '`cfsctl oci history` lists them; the lowest is 1',
  });
}

function layerOf(image: OciImage, layer: string): ObjectId {
  const diffId = findLayer(image, layer);
  const verity = image.layerVerity(diffId);
  if (verity === undefined) throw new ComposefsError('MISSING_LAYER', `The layer ${diffId} is not stored`);
  return verity;
}
