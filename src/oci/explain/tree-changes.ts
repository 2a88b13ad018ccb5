import { type ByteString, byteStringToText } from '../../bytes/byte-string.js';
import { compareTrees } from '../../composefs/compare/compare-trees.js';
import type { Difference } from '../../composefs/compare/difference.js';
import { DirectoryTree } from '../../composefs/compare/directory-tree.js';
import type { HashAlgorithm } from '../../composefs/fsverity/algorithm.js';
import type { Directory } from '../../composefs/tree/inode.js';
import type { Stat } from '../../composefs/tree/stat.js';
import { SELINUX } from './rule-trees.js';

/** How the tree of an image differs from another one. */
export interface TreeChanges {
  /** As `PATH (WHAT, WHAT)`; at most 20. */
  readonly changes: readonly string[];
  readonly changeCount: number;
}

const CHANGES_MAX = 20;

/** What became of `before` in `after`. */
export async function changesBetween(
  before: Directory,
  after: Directory,
  algorithm: HashAlgorithm,
): Promise<TreeChanges> {
  const [first, second] = [DirectoryTree.of(before, algorithm), DirectoryTree.of(after, algorithm)];
  const differences = await compareTrees(first, second, { renames: false });
  return { changes: differences.slice(0, CHANGES_MAX).map(describe), changeCount: differences.length };
}

function describe(difference: Difference): string {
  const what =
    'aspects' in difference ? difference.aspects.flatMap((aspect) => nameOf(aspect, difference)) : [difference.kind];
  return `${byteStringToText(difference.path)} (${what.join(', ')})`;
}

function nameOf(aspect: string, difference: Extract<Difference, { aspects: unknown }>): string[] {
  if (aspect === 'time') return ['mtime'];
  if (aspect !== 'xattrs') return [aspect];
  const label = (stat: Stat): ByteString | undefined => stat.xattrs.get(SELINUX);
  const { before, after } = difference;
  if (label(before.stat) === label(after.stat)) return ['xattrs'];
  return [`label: ${label(before.stat) ?? 'none'} → ${label(after.stat) ?? 'none'}`];
}
