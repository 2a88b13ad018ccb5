import type { Repository } from '../../composefs/repository/repository.js';
import type { ImportStats } from './layer/import-stats.js';
import { pull } from './pull.js';
import type { PullOptions, PullResult } from './pull-options.js';

/** What {@link pullImage} has stored. */
export type PulledStreams = Pick<PullResult, 'manifestDigest' | 'manifestVerity' | 'configDigest' | 'configVerity'>;

/**
 * {@link pull} as the crate has it besides (spec 40 §4.2): images of `containers-storage:` come through skopeo, and never
 * out of the files of the store.
 *
 * @returns the streams that are linked now, and what the layers took.
 * @throws as {@link pull}
 */
export async function pullImage(
  repo: Repository,
  imgref: string,
  tag?: string,
  options: Omit<PullOptions, 'localFetch' | 'stores'> = {},
): Promise<[PulledStreams, ImportStats]> {
  const result = await pull(repo, imgref, tag, { ...options, localFetch: 'disabled' });
  const { manifestDigest, manifestVerity, configDigest, configVerity, stats } = result;
  return [{ manifestDigest, manifestVerity, configDigest, configVerity }, stats];
}
