import { closeSync } from 'node:fs';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { procPath } from '../../linux/link.js';
import type { FileLocation } from '../blob/blob-location.js';
import { FileLayers } from '../blob/file-layer.js';
import type { LayerBlob } from '../blob/layer-blob.js';
import type { Descriptor } from '../model/descriptor.js';
import { type LayersContext, type PulledLayers, pullLayers, type WantedLayer } from './pull-layers.js';

/** Whatever is in it: a blob of this type is stored as it comes. */
const OPAQUE = 'application/octet-stream';

/**
 * Stores the blobs of an image's layers as they are, those that are compressed: of the others the layer itself is the
 * blob. They are what layers of artifacts are, one object each; the manifest's stream names them.
 */
export async function pullBlobs(wanted: readonly WantedLayer[], context: LayersContext): Promise<PulledLayers> {
  const blobs = wanted
    .filter(({ key, descriptor }) => key !== descriptor.digest)
    .map(({ descriptor }) => ({ key: descriptor.digest, descriptor: { ...descriptor, mediaType: OPAQUE } }));
  return await pullLayers(blobs, { ...context, isContainer: false, areBlobs: true });
}

/** Layers whose blobs are stored, read from there. */
export class StoredBlobs {
  readonly #repo: Repository;
  readonly #blobs: ReadonlyMap<string, ObjectId>;
  readonly #source: (descriptor: Descriptor) => LayerBlob;
  readonly #files = new FileLayers();
  readonly #open: number[] = [];

  /** @param source of those that are not. */
  constructor(repo: Repository, blobs: ReadonlyMap<string, ObjectId>, source: (descriptor: Descriptor) => LayerBlob) {
    this.#repo = repo;
    this.#blobs = blobs;
    this.#source = source;
  }

  layer(descriptor: Descriptor): LayerBlob {
    const stream = this.#blobs.get(descriptor.digest);
    if (stream === undefined) return this.#source(descriptor);
    return this.#files.layer(descriptor, () => this.#locate(stream, descriptor));
  }

  close(): void {
    for (const fd of this.#open.splice(0)) closeSync(fd);
  }

  #locate(stream: ObjectId, { size }: Descriptor): FileLocation {
    const reader = this.#repo.openStream('', { id: stream });
    try {
      const [object] = reader.objectRefs;
      const fd = this.#repo.objects.openObject(object ?? stream);
      this.#open.push(fd);
      return { kind: 'file', path: procPath(fd), offset: 0, size };
    } finally {
      reader.close();
    }
  }
}
