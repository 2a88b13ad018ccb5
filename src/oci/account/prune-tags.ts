import type { Repository } from '../../composefs/repository/repository.js';
import type { OciDigest } from '../model/digest.js';
import { listRefs, tagTime, untagImages } from '../store/tags.js';

/** Which tags are too old. */
export interface PruneOptions {
  /** Milliseconds: tags that were given, or moved to another image, before that long. */
  readonly olderThan: number;
  /** Keeps this many of the newest tags, however old they are. Default 0. */
  readonly keep?: number | undefined;
  /** Only says which tags that are. */
  readonly dryRun?: boolean | undefined;
  /** The present. Default: that of the clock. */
  readonly now?: number | undefined;
}

/** A tag that was removed, or in a dry run would be. */
export interface PrunedTag {
  readonly tag: string;
  readonly manifestDigest: OciDigest;
  /** When it was given, in milliseconds since the epoch. */
  readonly taggedAt: number;
}

/**
 * Removes old tags. What they named goes with the next garbage collection, if nothing else keeps it.
 *
 * @returns the tags, oldest first.
 */
export async function pruneTags(repo: Repository, options: PruneOptions): Promise<PrunedTag[]> {
  const { olderThan, keep = 0, dryRun = false, now = Date.now() } = options;
  const tags: PrunedTag[] = [];
  for (const [tag, manifestDigest] of listRefs(repo)) {
    const taggedAt = tagTime(repo, tag);
    if (taggedAt !== undefined) tags.push({ tag, manifestDigest, taggedAt });
  }
  // Newest first; of the same moment in the order of their names.
  tags.sort((a, b) => b.taggedAt - a.taggedAt || (a.tag < b.tag ? -1 : 1));
  const old = tags.slice(keep).filter(({ taggedAt }) => now - taggedAt > olderThan);
  if (!dryRun && old.length > 0)
    await untagImages(
      repo,
      old.map(({ tag }) => tag),
    );
  return old.reverse();
}
