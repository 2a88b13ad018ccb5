import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import type { HashAlgorithm } from '../../composefs/fsverity/algorithm.js';
import type { LayerRules } from '../layer/layer-rules.js';
import type { XattrFiltering } from '../tree/transform.js';

/**
 * How the mtimes of the tree are. `up-to-0.9.2`: `/boot` and `/sysroot` of a boot image keep their own nanoseconds, as the
 * reference had it (spec 50 §2.2). `whole-seconds`: of a copy of the tree that has lost the nanoseconds.
 */
export type MtimeRule = 'standard' | 'up-to-0.9.2' | 'whole-seconds';

/** What decides which digest the EROFS image of an OCI image has. */
export interface ImageRules {
  readonly format: FormatVersion;
  /** `boot`: with the boot transform. */
  readonly kind: 'plain' | 'boot';
  /** `all`: the tree of the layers as it is, without the OCI transform. */
  readonly xattrs: XattrFiltering | 'all';
  readonly layerRules: LayerRules;
  readonly algorithm: HashAlgorithm;
  /** `none`: a boot image without the labels of the image's SELinux policy. */
  readonly labels: 'policy' | 'none';
  readonly mtimes: MtimeRule;
  /** How many of the last layers are not in it. */
  readonly missingLayers: number;
}

/** The name of one of the rules that decide the digest of an image. */
export type RuleName = keyof ImageRules;

const RULE_NAMES: readonly RuleName[] = [
  'format',
  'kind',
  'xattrs',
  'layerRules',
  'algorithm',
  'labels',
  'mtimes',
  'missingLayers',
];

/** How many layers are left out at most. */
const MISSING_MAX = 8;

/** In which of the rules two sets of them differ. */
export function differingRules(a: ImageRules, b: ImageRules): RuleName[] {
  return RULE_NAMES.filter((name) => a[name] !== b[name]);
}

/**
 * The combinations for one algorithm: of the tree of all layers those first that differ least from the usual rules, then
 * formats and kinds of the tree without its last layers.
 */
export function rulesToTry(usual: ImageRules, algorithm: HashAlgorithm, layerCount: number): ImageRules[] {
  const distance = (rules: ImageRules): number => differingRules(rules, usual).length;
  const complete = [...combinations(algorithm)].sort((a, b) => distance(a) - distance(b));
  const asUsual = complete.filter((rules) =>
    (['xattrs', 'layerRules', 'labels', 'mtimes'] as const).every((name) => rules[name] === usual[name]),
  );
  const all = [...complete];
  for (let missingLayers = 1; missingLayers <= Math.min(MISSING_MAX, layerCount - 1); missingLayers++) {
    all.push(...asUsual.map((rules) => ({ ...rules, missingLayers })));
  }
  return all;
}

function* combinations(algorithm: HashAlgorithm): Generator<ImageRules> {
  const missingLayers = 0;
  for (const layerRules of ['oci', 'reference'] as const) {
    for (const xattrs of ['allowlist-only', 'keep-user-xattrs', 'all'] as const) {
      for (const kind of ['plain', 'boot'] as const) {
        // The boot transform comes after that for OCI.
        if (kind === 'boot' && xattrs === 'all') continue;
        for (const labels of kind === 'boot' ? (['policy', 'none'] as const) : (['policy'] as const)) {
          for (const mtimes of ['standard', 'up-to-0.9.2', 'whole-seconds'] as const) {
            if (kind === 'plain' && mtimes === 'up-to-0.9.2') continue;
            for (const format of [1, 2, 0] as const) {
              // V2 images have no nanoseconds.
              if (format === 2 && mtimes !== 'standard') continue;
              yield { format, kind, xattrs, layerRules, algorithm, labels, mtimes, missingLayers };
            }
          }
        }
      }
    }
  }
}
