import type { ByteString } from '../../bytes/byte-string.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Stat } from '../tree/stat.js';
import type { Aspect } from './aspects.js';
import type { EntryType } from './comparable-tree.js';

/** What one of the trees has. */
export interface EntryState {
  readonly type: EntryType;
  readonly stat: Stat;
  /** Bytes of a regular file; 0 of others. */
  readonly size: number;
  /** Of a device; 0 of others. */
  readonly rdev: number;
  /** Of a symlink. */
  readonly target?: ByteString;
  /** The object with the content of a regular file, where one is known. */
  readonly object?: ObjectId;
}

/**
 * A path at which two trees differ. `renamed`: a regular file of the first tree is not where it was, and the second one
 * has its content where the first has nothing.
 */
export type Difference =
  | { readonly kind: 'added'; readonly path: ByteString; readonly after: EntryState }
  | { readonly kind: 'removed'; readonly path: ByteString; readonly before: EntryState }
  | {
      readonly kind: 'changed';
      readonly path: ByteString;
      readonly aspects: readonly Aspect[];
      readonly before: EntryState;
      readonly after: EntryState;
    }
  | {
      readonly kind: 'renamed';
      readonly path: ByteString;
      readonly from: ByteString;
      /** In what else it differs. */
      readonly aspects: readonly Aspect[];
      readonly before: EntryState;
      readonly after: EntryState;
    };

/** `added`, `removed`, `changed` or `renamed`, from the first tree to the second. */
export type DifferenceKind = Difference['kind'];

/** How many differences there are, and of what. */
export interface DifferenceSummary {
  readonly kinds: Readonly<Record<DifferenceKind, number>>;
  /** In how many changed and renamed entries an aspect differs; those that differ nowhere are absent. */
  readonly aspects: Readonly<Partial<Record<Aspect, number>>>;
  /** Bytes of the regular files that were added, or have another content: as they are in the second tree. */
  readonly addedBytes: number;
  /** Of those that were removed, or have another content: as they are in the first tree. */
  readonly removedBytes: number;
}

/** Counts differences, by kind and by what differs. */
export function summarise(differences: Iterable<Difference>): DifferenceSummary {
  const kinds = { added: 0, removed: 0, changed: 0, renamed: 0 };
  const aspects: Partial<Record<Aspect, number>> = {};
  let addedBytes = 0;
  let removedBytes = 0;
  for (const difference of differences) {
    kinds[difference.kind] += 1;
    if (difference.kind === 'added') addedBytes += difference.after.size;
    else if (difference.kind === 'removed') removedBytes += difference.before.size;
    else {
      for (const aspect of difference.aspects) aspects[aspect] = (aspects[aspect] ?? 0) + 1;
      if (!difference.aspects.some((aspect) => aspect === 'content' || aspect === 'type')) continue;
      addedBytes += difference.after.size;
      removedBytes += difference.before.size;
    }
  }
  return { kinds, aspects, addedBytes, removedBytes };
}
