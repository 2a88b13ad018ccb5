import { availableParallelism } from 'node:os';
import { withContextAsync } from '../../errors.js';
import type { Descriptor } from '../model/descriptor.js';
import type { FileLocation } from './blob-location.js';
import { DownloadSlots } from './download-slots.js';
import {
  type LayerBlob,
  type LayerContent,
  NO_TRANSFER,
  type TransferOptions,
  type Transferred,
} from './layer-blob.js';

/**
 * How many layers are stored at once, each in a thread, while nothing waits for a network. Each thread has Node's pool
 * decompress and hash the tar beside it: that keeps one processor more busy than there are such threads.
 */
export const LAYERS_AT_ONCE: number = Math.max(1, availableParallelism() - 1);

/** The layers of an image in files. */
export class FileLayers {
  readonly #slots = new DownloadSlots({ total: LAYERS_AT_ONCE, perHost: LAYERS_AT_ONCE });

  /** @param locate finds the file, or throws, when it is the layer's turn. */
  layer(descriptor: Descriptor, locate: () => FileLocation | Promise<FileLocation>): LayerBlob {
    return new FileLayer(descriptor, locate, this.#slots);
  }
}

class FileLayer implements LayerBlob {
  readonly #descriptor: Descriptor;
  readonly #locate: () => FileLocation | Promise<FileLocation>;
  readonly #slots: DownloadSlots;

  constructor(descriptor: Descriptor, locate: () => FileLocation | Promise<FileLocation>, slots: DownloadSlots) {
    this.#descriptor = descriptor;
    this.#locate = locate;
    this.#slots = slots;
  }

  keptBytes(): number {
    return 0;
  }

  async transfer<T>(use: (content: LayerContent) => Promise<T>, { signal }: TransferOptions): Promise<Transferred<T>> {
    const descriptor = this.#descriptor;
    const read = async (): Promise<T> => {
      const location = await withContextAsync(
        `Opening layer blob ${descriptor.digest}`,
        async () => await this.#locate(),
      );
      return await use({ kind: 'file', descriptor, location });
    };
    return { result: await this.#slots.run('', read, signal), transfer: NO_TRANSFER };
  }

  stored(): void {
    // Files of an image are not ours.
  }
}
