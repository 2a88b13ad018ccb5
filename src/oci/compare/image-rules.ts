import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import type { HashAlgorithm } from '../../composefs/fsverity/algorithm.js';
import type { LayerRules } from '../layer/layer-rules.js';
import type { XattrFiltering } from '../tree/transform.js';

/** What decides, besides the layers, which digest the EROFS image of an OCI image has. */
export interface ImageRules {
  readonly format: FormatVersion;
  /** `boot`: with the boot transform. */
  readonly kind: 'plain' | 'boot';
  /** `all`: the tree of the layers as it is, without the OCI transform. */
  readonly xattrs: XattrFiltering | 'all';
  readonly layerRules: LayerRules;
  readonly algorithm: HashAlgorithm;
}

/** The name of one of the rules that decide the digest of an image. */
export type RuleName = keyof ImageRules;

const RULE_NAMES: readonly RuleName[] = ['format', 'kind', 'xattrs', 'layerRules', 'algorithm'];

/** In which of the rules two sets of them differ. */
export function differingRules(a: ImageRules, b: ImageRules): RuleName[] {
  return RULE_NAMES.filter((name) => a[name] !== b[name]);
}

/** All combinations for one algorithm, those first that differ least from the usual rules. */
export function rulesToTry(usual: ImageRules, algorithm: HashAlgorithm): ImageRules[] {
  const all: ImageRules[] = [];
  for (const layerRules of ['oci', 'reference'] as const) {
    for (const xattrs of ['allowlist-only', 'keep-user-xattrs', 'all'] as const) {
      for (const kind of ['plain', 'boot'] as const) {
        // The boot transform comes after that for OCI.
        if (kind === 'boot' && xattrs === 'all') continue;
        for (const format of [1, 2, 0] as const) all.push({ format, kind, xattrs, layerRules, algorithm });
      }
    }
  }
  const distance = (rules: ImageRules): number => differingRules(rules, usual).length;
  return all.sort((a, b) => distance(a) - distance(b));
}

/** The rules by which a tree is made: all but the format. */
export function treeKey({ kind, xattrs, layerRules, algorithm }: ImageRules): string {
  return [kind, xattrs, layerRules, algorithm].join(' ');
}
