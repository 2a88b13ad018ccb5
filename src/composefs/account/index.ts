/** What leads to what in a repository, and what it takes on the disk. */

export { type Reason, type ReasonStep, reasonsFor } from './reasons.js';
export {
  type GraphOptions,
  type GraphRoot,
  type GraphStream,
  ReferenceGraph,
  type RootGroup,
} from './reference-graph.js';
export type { Usage } from './usage.js';
