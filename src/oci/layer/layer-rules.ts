import { type ByteString, quoteBytes } from '../../bytes/byte-string.js';
import type { ProgressReporter } from '../../progress.js';

/**
 * By which rules layers become a tree. `oci`: those of the OCI image specification, with the tree that umoci and podman
 * make. `reference`: those of composefs-rs 0.9.4 (spec 30 §6, §8.2), for who must have its digest of an image of which it
 * makes another tree; what it refuses is refused.
 */
export type LayerRules = 'oci' | 'reference';

export const LAYER_RULES: readonly LayerRules[] = ['oci', 'reference'];

/** Where the two rules give different trees and the reference does not say a word; docs/open-points.md lists them. */
const DIFFERENCES = {
  'own-layer-whiteout': 'the whiteout acts on the layers below it only; composefs-rs applies it to its own layer, too',
  'dotted-directory': 'the entry is for the directory that it leads to; composefs-rs takes it for the root',
} as const;

export type LayerDifference = keyof typeof DIFFERENCES;

interface Found {
  readonly layer: string;
  readonly path: ByteString;
  count: number;
}

/**
 * Collects where an image's tree is not that of the reference while its layers are read and applied, and says each kind
 * once: with the first layer and entry, and how many more there are.
 */
export class LayerDifferences {
  readonly #found = new Map<LayerDifference, Found>();
  #layer = '';

  /** What is added from now on is of this layer. */
  startLayer(diffId: string): void {
    this.#layer = diffId;
  }

  add(difference: LayerDifference, path: ByteString): void {
    const found = this.#found.get(difference);
    if (found === undefined) this.#found.set(difference, { layer: this.#layer, path, count: 1 });
    else found.count += 1;
  }

  report(progress: ProgressReporter): void {
    for (const [difference, { layer, path, count }] of this.#found) {
      const more = count === 1 ? '' : ` (and ${count - 1} more)`;
      const text =
        `Layer ${layer}, entry ${quoteBytes(path)}${more}: ${DIFFERENCES[difference]}. ` +
        'The layer rules `reference` give the tree of composefs-rs';
      progress.report({ type: 'message', level: 'warning', text });
    }
  }
}
