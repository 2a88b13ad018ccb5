import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError, withContext } from '../../errors.js';
import type { OciDigest } from '../model/digest.js';
import { type OpenConfigOptions, openConfig } from './config-stream.js';
import { configIdentifier } from './identifiers.js';
import { OciImage } from './image.js';
import { findManifestsOfConfig } from './stored-manifests.js';

/**
 * A stored image that has a config.
 *
 * @param options.configVerity the object of the config's stream; without it the config is checked against its digest, and
 *   what its stream says of the layers is not to be trusted.
 * @throws ENOENT, with the object that the stream is now as hint; ComposefsError `OCI_IMAGE_NOT_FOUND` if no manifest names
 *   the config
 */
export async function findImageOfConfig(
  repo: ReadableRepository,
  configDigest: OciDigest,
  options: OpenConfigOptions = {},
): Promise<OciImage> {
  const now = repo.hasStream(configIdentifier(configDigest));
  const hint = `the stream of the config is ${now} now: it is another one whenever images are linked from it`;
  withContext(
    `Opening the config ${configDigest}`,
    () => openConfig(repo, configDigest, options),
    options.configVerity === now ? {} : { ENOENT: hint },
  );
  const [manifest] = await findManifestsOfConfig(repo, configDigest);
  if (manifest !== undefined) return OciImage.open(repo, manifest.digest);
  throw new ComposefsError('OCI_IMAGE_NOT_FOUND', `no stored image has the config ${configDigest}`);
}
