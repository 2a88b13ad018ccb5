import { type ByteString, quoteBytes } from '../../bytes/byte-string.js';
import type { ProgressReporter } from '../../progress.js';
import type { TarDifference } from '../../tar/header.js';

/**
 * By which rules layers become a tree. `oci`: those of the OCI image specification, with the tree that umoci and podman
 * make. `reference`: those of composefs-rs 0.9.4 (spec 30 §6, §8.2), where its digest is needed of an image of which it makes
 * another tree; what it refuses is refused.
 */
export type LayerRules = 'oci' | 'reference';

/** All {@link LayerRules}; the first is the default. */
export const LAYER_RULES: readonly LayerRules[] = ['oci', 'reference'];

export type LayerDifference = TarDifference | 'own-layer-whiteout' | 'dotted-directory';

/** Where the two rules give different trees and the reference does not say a word; docs/open-points.md lists them. */
const DIFFERENCES: Readonly<Record<LayerDifference, string>> = {
  'own-layer-whiteout': 'the whiteout acts on the layers below it only; composefs-rs applies it to its own layer, too',
  'header-only-size': 'the size in its header is not that of data; composefs-rs takes what follows for its data',
  'old-directory': 'its name ends in a slash, so that it is a directory; composefs-rs makes a file of it',
  prefix: 'the prefix in its header is read as GNU tar or Go do; composefs-rs reads another path',
  'leading-nul': 'a number in its header has a NUL before it; composefs-rs takes it for 0',
  'empty-linkpath':
    'its PAX linkpath is empty, so that the link of the header counts; composefs-rs makes an empty link',
  'long-text': 'its GNU long name or link ends at the first NUL; composefs-rs takes NULs for a part of it',
  'pax-time': 'the last of several PAX times counts; composefs-rs takes the fraction of a second of the first',
  'dotted-directory': 'the entry is for the directory that it leads to; composefs-rs takes it for the root',
};

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
