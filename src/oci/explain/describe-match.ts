import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ImageRules, RuleName } from './image-rules.js';
import type { TreeChanges } from './tree-changes.js';

/** Why an image does not have a digest, or that it has. */
export type DigestMatch =
  | {
      /** By these rules it has; `differing` are those that are not the usual ones. */
      readonly kind: 'rules';
      readonly rules: ImageRules;
      readonly differing: readonly RuleName[];
      /** What the missing layers change, if some are missing. */
      readonly changes?: TreeChanges;
    }
  /** It is a digest of something else that has to do with the image. */
  | { readonly kind: 'other'; readonly what: string }
  /** Another image is stored that has the digest: how the tree by the usual rules differs from that one. */
  | { readonly kind: 'stored'; readonly format: FormatVersion; readonly changes: TreeChanges }
  | {
      readonly kind: 'unknown';
      /** The digest by each combination of rules that was tried. */
      readonly tried: readonly { readonly rules: ImageRules; readonly digest: ObjectId }[];
      readonly impossible: readonly { readonly rules: ImageRules; readonly reason: string }[];
    };

/** What is known of the image that does not have the digest. */
export interface OwnImage {
  readonly version: FormatVersion;
  readonly layerCount: number;
}

/** What differs between an image and the one that has a digest, in words: one line each. */
export function describeExplanation(match: DigestMatch, own: OwnImage): string[] {
  switch (match.kind) {
    case 'unknown':
      return [
        'nothing that was tried has that digest: not another xattr mode, format version, set of labels or mtimes, nor fewer layers',
      ];
    case 'other':
      return [`digest: that is ${match.what}`];
    case 'stored': {
      const { changes, format } = match;
      const lines = [
        `tree: that image is stored, and this one differs from it in ${changes.changeCount} paths:`,
        ...changeLines(changes),
      ];
      return format === own.version ? lines : [...lines, formatLine(format, own)];
    }
    case 'rules': {
      // The format says the least of where that image comes from: last.
      const isFormat = (name: RuleName): boolean => name === 'format';
      const [formats, others] = [match.differing.filter(isFormat), match.differing.filter((name) => !isFormat(name))];
      return [...others, ...formats].flatMap((name) => describeRule(name, match.rules, own, match.changes));
    }
  }
}

/** In which way the image that has a digest is another one, by a rule that differs; then the paths that this changes. */
export function describeRule(name: RuleName, rules: ImageRules, own: OwnImage, changes?: TreeChanges): string[] {
  if (name !== 'missingLayers') return [ruleLine(name, rules, own)];
  const line = `layers: that image is of the first ${own.layerCount - rules.missingLayers} of ${own.layerCount} layers`;
  if (changes === undefined) return [line];
  return [`${line}; the others change ${changes.changeCount} paths:`, ...changeLines(changes)];
}

function ruleLine(name: Exclude<RuleName, 'missingLayers'>, rules: ImageRules, own: OwnImage): string {
  switch (name) {
    case 'format':
      return formatLine(rules.format, own);
    case 'kind':
      return rules.kind === 'plain'
        ? 'kind: that image is a plain one, and this one a boot image'
        : 'kind: that image is a boot image, and this one a plain one';
    case 'xattrs':
      return rules.xattrs === 'all'
        ? 'xattr mode: that image is of the tree of the layers as it is, with all xattrs'
        : `xattr mode: that image is of the mode ${rules.xattrs}`;
    case 'layerRules':
      return `layer rules: that image is by the rules ${rules.layerRules}`;
    case 'algorithm':
      return `algorithm: that image has digests of ${rules.algorithm}`;
    case 'labels':
      return 'label: that image has no SELinux labels, and the policy of this one gives some';
    case 'mtimes':
      return rules.mtimes === 'up-to-0.9.2'
        ? 'mtime: /boot and /sysroot have their own nanoseconds, as composefs-rs made images up to 0.9.2'
        : 'mtime: that image is of a copy of the tree that has lost the nanoseconds';
  }
}

function formatLine(format: FormatVersion, own: OwnImage): string {
  return `format version: that image is of V${format}, and this one of V${own.version}`;
}

function changeLines({ changes, changeCount }: TreeChanges): string[] {
  const lines = changes.map((change) => `  ${change}`);
  return changeCount > changes.length ? [...lines, `  … and ${changeCount - changes.length} more`] : lines;
}
