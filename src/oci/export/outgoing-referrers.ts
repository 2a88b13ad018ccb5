import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { nullReporter } from '../../progress.js';
import type { OciDigest } from '../model/digest.js';
import { OciImage } from '../store/image.js';
import { listReferrers } from '../store/referrers.js';
import { type OutgoingImage, type OutgoingOptions, prepareOutgoing, type Staging } from './outgoing-image.js';

/**
 * What is stored that refers to an image (signatures, SBOMs), and what refers to that. An image that leaves with another
 * digest than the one it was pulled with has none: a warning says so.
 */
export function findReferrers(
  repo: ReadableRepository,
  image: OciImage,
  digest: OciDigest,
  { progress = nullReporter }: Pick<OutgoingOptions, 'progress'>,
): OciImage[] {
  if (digest !== image.manifestDigest) {
    const count = listReferrers(repo, image.manifestDigest).length;
    const text = `what refers to ${image.manifestDigest} stays behind: the image leaves as ${digest}`;
    if (count > 0) progress.report({ type: 'message', level: 'warning', text });
    return [];
  }
  const found = new Map<OciDigest, OciImage>();
  const subjects = [digest];
  for (let subject = subjects.pop(); subject !== undefined; subject = subjects.pop()) {
    for (const [artifact, manifestVerity] of listReferrers(repo, subject)) {
      if (artifact === digest || found.has(artifact)) continue;
      found.set(artifact, OciImage.open(repo, artifact, { manifestVerity }));
      subjects.push(artifact);
    }
  }
  return [...found.values()];
}

/** Prepares images one after the other, for `action` with all of them. */
export async function withAllOutgoing<T>(
  repo: ReadableRepository,
  images: readonly OciImage[],
  staging: Staging,
  options: OutgoingOptions,
  action: (outgoing: readonly OutgoingImage[]) => Promise<T>,
): Promise<T> {
  const prepared: OutgoingImage[] = [];
  try {
    for (const image of images) prepared.push(await prepareOutgoing(repo, image, staging, options));
    return await action(prepared);
  } finally {
    for (const each of prepared) each.dispose();
  }
}
