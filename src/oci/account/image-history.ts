import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { Directory, fileSize, Leaf } from '../../composefs/tree/inode.js';
import { UNINITIALIZED_STAT } from '../../composefs/tree/stat.js';
import { directories } from '../../composefs/tree/walk.js';
import { withContext } from '../../errors.js';
import { nullReporter } from '../../progress.js';
import type { LongCallOptions } from '../../threads/jobs.js';
import { runInTurns, Turns } from '../../threads/turns.js';
import { LayerApplier } from '../layer/apply-layer.js';
import { configLayers } from '../layer/filesystem.js';
import { openLayerSteps } from '../layer/layer-content.js';
import { readTarEntries } from '../layer/tar-entry.js';
import type { HistoryEntry } from '../model/config.js';
import { notAContainerImage } from '../store/errors.js';
import type { OciImage } from '../store/image.js';

/** Files and what they hold together. */
export interface FileCount {
  readonly files: number;
  readonly bytes: number;
}

/** A layer of an image, and how much of it is seen. */
export interface HistoryLayer {
  readonly diffId: string;
  /** Bytes of the tar. */
  readonly size: number;
  /** Of the blob in a registry; undefined where the manifest does not have the layers of the config. */
  readonly compressedSize: number | undefined;
  /** Tar entries. */
  readonly entries: number;
  /** Regular files of the layers below that it removes or replaces, also where the content stays the same. */
  readonly hides: FileCount;
}

/** A step in which an image was made. */
export interface HistoryStep extends Omit<HistoryEntry, 'empty_layer'> {
  /** Undefined for a step that changed the configuration only. */
  readonly layer: HistoryLayer | undefined;
}

/** How an image came to be, layer by layer. */
export interface ImageHistory {
  /** From the lowest layer up. Layers of which the history says nothing are steps without text. */
  readonly steps: readonly HistoryStep[];
  /** Bytes of all tars. */
  readonly size: number;
  /** What layers hide of those below them: transferred, and never seen. */
  readonly hidden: FileCount;
  /** The contents, each once, that only hidden files have: what this image makes the store keep for nothing. */
  readonly wasted: FileCount;
}

/**
 * How an image was made: its layers with the commands that made them, their sizes, and what each hides of the layers
 * below. Reads all layers but for the contents of large files.
 *
 * @throws ComposefsError `NOT_A_CONTAINER_IMAGE`, `MISSING_LAYER`; LayerError
 */
export async function imageHistory(
  repo: ReadableRepository,
  image: OciImage,
  { signal, progress = nullReporter }: Pick<LongCallOptions, 'signal' | 'progress'> = {},
): Promise<ImageHistory> {
  const { config } = image;
  if (config === undefined) {
    throw notAContainerImage(image.manifestDigest, image.manifest, 'which has no history');
  }
  return await repo.hold(async () => {
    const turns = new Turns(signal);
    const layers = configLayers(image.layerDiffIds(), image.layerRefs);
    const blobs = image.layerDescriptors();
    const stack = new LayerStack();
    const measured: HistoryLayer[] = [];
    for (const [index, { diffId, verity }] of layers.entries()) {
      const compressedSize = blobs.length === layers.length ? blobs[index]?.size : undefined;
      const reader = await runInTurns(openLayerSteps(repo.objects, verity), signal);
      try {
        stack.start(diffId);
        let entries = 0;
        progress.report({ type: 'started', id: diffId, unit: 'items' });
        for (const entry of readTarEntries(reader)) {
          if (turns.isOver()) {
            progress.report({ type: 'progress', id: diffId, fetched: entries });
            await turns.next();
          }
          withContext(`Layer ${diffId}`, () => stack.applier.apply(entry));
          entries += 1;
        }
        progress.report({ type: 'done', id: diffId, transferred: entries });
        measured.push({ diffId, size: reader.totalSize, compressedSize, entries, hides: await stack.finish(turns) });
      } finally {
        reader.close();
      }
    }
    return {
      steps: joined(config.history ?? [], measured),
      size: measured.reduce((sum, { size }) => sum + size, 0),
      hidden: stack.hidden,
      wasted: stack.wasted(),
    };
  });
}

/** Layers on top of each other, and which files of lower ones cannot be seen any more. */
class LayerStack {
  readonly applier: LayerApplier;
  readonly #root = new Directory(UNINITIALIZED_STAT);
  /** Regular files that can be seen. Each is one object here however many names it has. */
  #visible = new Set<Leaf>();
  readonly #hiddenObjects = new Map<ObjectId, number>();
  #files = 0;
  #bytes = 0;

  constructor() {
    this.applier = new LayerApplier(this.#root);
  }

  get hidden(): FileCount {
    return { files: this.#files, bytes: this.#bytes };
  }

  start(diffId: string): void {
    this.applier.startLayer(diffId);
  }

  /** What the layer has hidden. */
  async finish(turns: Turns): Promise<FileCount> {
    const visible = new Set<Leaf>();
    for (const directory of directories(this.#root)) {
      if (turns.isOver()) await turns.next();
      for (const inode of directory.inodes()) {
        if (inode instanceof Leaf && inode.content.type === 'regular') visible.add(inode);
      }
    }
    let files = 0;
    let bytes = 0;
    for (const leaf of this.#visible) {
      if (visible.has(leaf) || leaf.content.type !== 'regular') continue;
      const { file } = leaf.content;
      files += 1;
      bytes += fileSize(file);
      if (file.storage === 'external') this.#hiddenObjects.set(file.id, file.size);
    }
    this.#visible = visible;
    this.#files += files;
    this.#bytes += bytes;
    return { files, bytes };
  }

  wasted(): FileCount {
    const unseen = new Map(this.#hiddenObjects);
    for (const { content } of this.#visible) {
      if (content.type === 'regular' && content.file.storage === 'external') unseen.delete(content.file.id);
    }
    let bytes = 0;
    for (const size of unseen.values()) bytes += size;
    return { files: unseen.size, bytes };
  }
}

function joined(history: readonly HistoryEntry[], layers: readonly HistoryLayer[]): HistoryStep[] {
  const rest = [...layers];
  const steps = history.map(({ empty_layer, ...entry }): HistoryStep => {
    return { ...entry, layer: empty_layer === true ? undefined : rest.shift() };
  });
  return [...steps, ...rest.map((layer): HistoryStep => ({ layer }))];
}
