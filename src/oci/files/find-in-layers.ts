import { type ByteString, byteStringToText } from '../../bytes/byte-string.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { fileSize } from '../../composefs/tree/inode.js';
import { withContext } from '../../errors.js';
import { nullReporter } from '../../progress.js';
import type { LongCallOptions } from '../../threads/jobs.js';
import { runInTurns, Turns } from '../../threads/turns.js';
import { openLayerSteps } from '../layer/layer-content.js';
import { readTarEntries, type TarEntry } from '../layer/tar-entry.js';
import type { OciImage } from '../store/image.js';
import type { FileToFind, WantedFile } from './find-files.js';
import { findLayer } from './layer-files.js';

/** A layer, and in which images it is. */
export interface SearchedLayer {
  readonly diffId: string;
  /** The images as the caller named them, and the number that the layer has in each: the lowest is 1. */
  readonly images: readonly { readonly image: string; readonly layer: number }[];
}

/** A file that {@link findInLayers} has found. */
export interface FoundInLayer extends FileToFind, SearchedLayer {}

/** How {@link findInLayers} goes about it. */
export interface FindInLayersOptions extends Pick<LongCallOptions, 'signal' | 'progress'> {
  /** Only this layer of each image, as {@link findLayer} takes it. */
  readonly layer?: string | undefined;
}

/**
 * Looks for files in the layers of images, in each layer once: which of them have one. Entries are as the tar has them:
 * whiteouts are files (`.wh.…`), and what other layers hide is found. The reporter is told how many layers have been looked
 * through.
 *
 * @param images by any name. What has no layers with files is passed over.
 * @throws ComposefsError `LAYER_NOT_FOUND` if no image has the layer that is wanted; LayerError
 */
export async function* findInLayers(
  repo: ReadableRepository,
  images: ReadonlyMap<string, OciImage>,
  { matches }: WantedFile,
  { layer, signal, progress = nullReporter }: FindInLayersOptions = {},
): AsyncGenerator<FoundInLayer> {
  const layers = layersOf(images, layer);
  const turns = new Turns(signal);
  let fetched = 0;
  progress.report({ type: 'started', id: 'layers', total: layers.size, unit: 'items' });
  for (const [diffId, { verity, images: holders }] of layers) {
    const reader = await runInTurns(openLayerSteps(repo.objects, verity), signal);
    try {
      const seen = new Map<ByteString, Content>();
      const entries = readTarEntries(reader);
      for (;;) {
        const next = withContext(`Layer ${diffId}`, () => entries.next());
        if (next.done === true) break;
        if (turns.isOver()) await turns.next();
        const file = fileOf(next.value, seen);
        if (matches(file)) yield { diffId, images: holders, ...file };
      }
    } finally {
      reader.close();
    }
    fetched += 1;
    progress.report({ type: 'progress', id: 'layers', fetched, total: layers.size });
  }
  progress.report({ type: 'done', id: 'layers', transferred: fetched });
}

type Content = Pick<FileToFind, 'size' | 'object'>;

interface LayerOfImages {
  readonly verity: ObjectId;
  readonly images: { readonly image: string; readonly layer: number }[];
}

function layersOf(images: ReadonlyMap<string, OciImage>, wanted: string | undefined): Map<string, LayerOfImages> {
  const layers = new Map<string, LayerOfImages>();
  let missing: unknown;
  for (const [image, opened] of images) {
    let only: string | undefined;
    try {
      only = wanted === undefined ? undefined : findLayer(opened, wanted);
    } catch (error) {
      missing = error;
      continue;
    }
    for (const [index, diffId] of opened.layerDiffIds().entries()) {
      const verity = opened.layerVerity(diffId);
      if (verity === undefined || (only !== undefined && only !== diffId)) continue;
      const known = layers.get(diffId);
      const holder = { image, layer: index + 1 };
      if (known === undefined) layers.set(diffId, { verity, images: [holder] });
      else known.images.push(holder);
    }
  }
  if (layers.size === 0 && missing !== undefined) throw missing;
  return layers;
}

/** @param seen the files of the layer so far, for hard links to them. */
function fileOf({ path, item }: TarEntry, seen: Map<ByteString, Content>): FileToFind {
  const names = byteStringToText(path)
    .split('/')
    .filter((name) => name !== '' && name !== '.');
  const content = contentOf(item, seen);
  if (item.type === 'leaf') seen.set(path, content);
  return { name: names.at(-1) ?? '', path: `/${names.join('/')}`, ...content };
}

function contentOf(item: TarEntry['item'], seen: ReadonlyMap<ByteString, Content>): Content {
  const none = { size: 0, object: undefined };
  if (item.type === 'hardlink') return seen.get(item.target) ?? none;
  if (item.type === 'directory' || item.content.type !== 'regular') return none;
  const { file } = item.content;
  return { size: fileSize(file), object: file.storage === 'external' ? file.id : undefined };
}
