import { withContext } from '../../errors.js';
import { type ImageConfiguration, parseConfig } from './config.js';
import type { Descriptor } from './descriptor.js';
import { type OciDigest, parseOciDigest } from './digest.js';
import { parseManifest } from './manifest.js';
import { isImageConfigMediaType } from './media-types.js';

/**
 * The keys under which the layers of an image are stored: the diff_ids of its config, in order and with duplicates; for
 * an artifact the digests of the manifest's layers (spec 40 §2.6).
 *
 * @throws DocumentError for an image config that does not parse; ContextError around an OciDigestError for a diff_id.
 */
export function extractDiffIds(
  configMediaType: string,
  configBytes: Buffer,
  manifestLayers: readonly Descriptor[],
): OciDigest[] {
  if (!isImageConfigMediaType(configMediaType)) return manifestLayers.map((layer) => layer.digest);
  return parseDiffIds(parseConfig(configBytes).value);
}

/** The diff_ids of a parsed config as digests. */
export function parseDiffIds(config: ImageConfiguration): OciDigest[] {
  return config.rootfs.diff_ids.map((diffId) =>
    withContext('parsing diff_id from image config', () => parseOciDigest(diffId)),
  );
}

/** {@link extractDiffIds} from the two documents. */
export function extractLayerIds(manifestJson: Buffer, configJson: Buffer): string[] {
  const { value } = withContext('parsing manifest JSON', () => parseManifest(manifestJson));
  return extractDiffIds(value.config.mediaType, configJson, value.layers);
}
