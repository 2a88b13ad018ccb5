/** How two trees differ. */

export { ASPECTS, type Aspect } from './aspects.js';
export type { ComparableTree, EntryType, TreeEntry } from './comparable-tree.js';
export { type CompareOptions, compareTrees } from './compare-trees.js';
export {
  type Difference,
  type DifferenceKind,
  type DifferenceSummary,
  type EntryState,
  summarise,
} from './difference.js';
export { DirectoryTree } from './directory-tree.js';
export { type DifferenceGroup, groupDifferences } from './group-differences.js';
export { ImageTree } from './image-tree.js';
