import type { Descriptor } from '../model/descriptor.js';
import type { FileLocation } from './blob-location.js';
import type { StoreLocation } from './store-location.js';

/**
 * One layer of an image in its source: all in which sources differ. Where the bytes are, when it is this layer's turn, how
 * often another attempt makes sense, what is kept for the next time and when that can go.
 */
export interface LayerBlob {
  /** Bytes that an earlier pull has received and kept: they need no network. */
  keptBytes(): number;

  /**
   * Waits for this layer's turn and gives its content to `use`, which reads it once, checks size and digest, and makes a
   * stored layer of it. `use` may be run again, from the beginning, if it fails on what came.
   *
   * @throws what `use` throws, or what the source knows to be the cause of that.
   */
  transfer<T>(use: (content: LayerContent) => Promise<T>, options: TransferOptions): Promise<Transferred<T>>;

  /** The layer is stored, and has its name: what is kept of the blob can go. */
  stored(): void;
}

/**
 * What a layer can be made of, for the thread that does so. A new way is a member here, and a case in
 * `import/store-layer.ts`, which runs in that thread.
 */
export type LayerContent =
  | {
      readonly kind: 'file';
      /** What the bytes are. */
      readonly descriptor: Descriptor;
      /** Plain data: the thread reads the file itself. */
      readonly location: FileLocation;
    }
  | {
      readonly kind: 'chunks';
      /** What the bytes are: maybe of another digest, size and type than the layer of the manifest. */
      readonly descriptor: Descriptor;
      /** They come in the main thread, which hands them on. Read once; leaving early ends the transfer. */
      readonly chunks: AsyncIterable<Buffer>;
    }
  | {
      readonly kind: 'store';
      /** The layer of the manifest: the bytes of its blob are nowhere. */
      readonly descriptor: Descriptor;
      /** Plain data: the thread rebuilds the tar of the files, and makes objects of them. */
      readonly location: StoreLocation;
    };

export interface TransferOptions {
  readonly signal: AbortSignal;
  /** Told why there is a pause. */
  readonly message: (text: string) => void;
}

/** Bytes by where they came from. */
export interface Transfer {
  /** Over the network. */
  readonly fetchedBytes: number;
  /** From what an earlier pull had received and kept. */
  readonly resumedBytes: number;
}

export interface Transferred<T> {
  readonly result: T;
  readonly transfer: Transfer;
}

export const NO_TRANSFER: Transfer = { fetchedBytes: 0, resumedBytes: 0 };
