import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError } from '../../errors.js';
import type { OciDigest } from '../model/digest.js';
import type { OpenConfigOptions } from './config-stream.js';
import { wholeDigest } from './digest-text.js';
import { resolveImage } from './find-image.js';
import { configIdentifier } from './identifiers.js';
import { OciImage } from './image.js';

/** A config as a text names it: by itself, or by an image that has it. */
export interface NamedConfig {
  readonly digest: OciDigest;
  /** The stream that it is in if that can be trusted: a tag leads there, or the caller has said which it is. */
  readonly configVerity: ObjectId | undefined;
  /** Undefined where a digest names the config itself. */
  readonly image: OciImage | undefined;
}

/**
 * Finds the config that a text names for what the reference wants one for (spec 70 B6): a digest is first that of a
 * config, with or without `@`; else it is that of an image, as {@link resolveImage} takes it.
 *
 * @throws ComposefsError `DIGEST_MISMATCH` if the config of an image is in another; what `findImage` throws
 */
export async function resolveConfig(
  repo: ReadableRepository,
  text: string,
  { configVerity }: OpenConfigOptions = {},
): Promise<NamedConfig> {
  const digest = wholeDigest(text);
  if (digest !== undefined && repo.hasStream(configIdentifier(digest)) !== undefined) {
    return { digest, configVerity, image: undefined };
  }
  const named = await resolveImage(repo, text);
  const image = OciImage.open(repo, named.digest, { manifestVerity: named.manifestVerity });
  const { configDigest, configVerity: stored } = image;
  if (named.manifestVerity !== undefined) return { digest: configDigest, configVerity: stored, image };
  if (configVerity !== undefined && configVerity !== stored) {
    const message = `the stream of the config ${configDigest} is ${stored}, not ${configVerity}`;
    throw new ComposefsError('DIGEST_MISMATCH', message);
  }
  return { digest: configDigest, configVerity, image };
}
