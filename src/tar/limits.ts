import { formatSize } from '../bytes/format-size.js';
import { ComposefsError } from '../errors.js';

/**
 * Content of a regular file up to this many bytes stays inline, larger content becomes an object: in layers and in
 * directories, for all image versions and algorithms (spec 30 §1).
 */
export const INLINE_CONTENT_MAX_V0 = 64;

/** How large the tar of a layer may be, so that a small blob cannot fill memory or disk. */
export interface TarLimits {
  /**
   * Entries: each costs about 1.5 KB of memory when an image is made of the layer. One with long names or large xattrs
   * counts as several: one more for each 512 bytes of its extension headers.
   */
  readonly maxEntries: number;
  /** Bytes of the tar. */
  readonly maxTarBytes: number;
  /** Bytes of the tar, and of the holes of its sparse files. */
  readonly maxBytes: number;
}

export const NO_TAR_LIMITS: TarLimits = {
  maxEntries: Number.POSITIVE_INFINITY,
  maxTarBytes: Number.POSITIVE_INFINITY,
  maxBytes: Number.POSITIVE_INFINITY,
};

/** Code `LAYER_TOO_LARGE`. */
export class TarLimitError extends ComposefsError {
  constructor(message: string, hint: string) {
    super('LAYER_TOO_LARGE', message, { hint });
  }
}

/** Counts what limits are for. */
export class TarMeter {
  readonly #limits: TarLimits;
  #entries = 0;
  #tarBytes = 0;
  #holes = 0;

  constructor(limits: TarLimits) {
    this.#limits = limits;
  }

  /** @throws TarLimitError */
  addBytes(count: number): void {
    this.#tarBytes += count;
    this.#checkBytes();
  }

  /**
   * @param holes - in bytes
   * @throws TarLimitError
   */
  addEntry(holes: number): void {
    this.#addEntries(1);
    if (holes === 0) return;
    this.#holes += holes;
    this.#checkBytes();
  }

  /**
   * @param size - in bytes
   * @throws TarLimitError
   */
  addExtension(size: number): void {
    if (size >= 512) this.#addEntries(Math.floor(size / 512));
  }

  #checkBytes(): void {
    const { maxTarBytes, maxBytes } = this.#limits;
    if (this.#tarBytes <= maxTarBytes && this.#tarBytes + this.#holes <= maxBytes) return;
    const limit = this.#tarBytes > maxTarBytes ? maxTarBytes : maxBytes;
    const message = `the layer unpacks to more than ${limit} bytes (${formatSize(limit)})`;
    throw new TarLimitError(message, 'If you trust the image, allow more with --max-layer-size.');
  }

  #addEntries(count: number): void {
    this.#entries += count;
    const { maxEntries } = this.#limits;
    if (this.#entries > maxEntries) {
      const message = `the layer has more than ${maxEntries} entries, or too long names and xattrs`;
      throw new TarLimitError(message, 'If you trust the image, allow more with --max-layer-entries.');
    }
  }
}
