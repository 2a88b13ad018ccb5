import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { StreamNames } from '../../composefs/repository/names/streams.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { extractDiffIds } from '../model/diff-ids.js';
import type { OciDigest } from '../model/digest.js';
import { isContainerImage } from '../model/manifest.js';
import { layerRefsInOrder } from './config-stream.js';
import { storeExternalStream } from './external-stream.js';
import { CONFIG_CONTENT_TYPE, configIdentifier, configRefKey, manifestIdentifier } from './identifiers.js';
import { storeManifest } from './manifest-stream.js';
import { manifestsOfConfig, type StoredManifest } from './stored-manifests.js';

/**
 * Stores a config with its named refs in the given order, and lets every stored manifest of the config lead to the new
 * stream: a collector follows a manifest to the one stream that it names, and that of the reference only if a link
 * leads to it (spec 10 §17.3).
 *
 * @param configDigest by which the manifests name the config.
 * @returns the stream.
 */
export async function linkConfig(
  repo: Repository,
  configDigest: OciDigest,
  json: Buffer,
  namedRefs: readonly (readonly [string, ObjectId])[],
): Promise<ObjectId> {
  return await repo.hold(async () => {
    const configVerity = await storeExternalStream(repo, CONFIG_CONTENT_TYPE, json, namedRefs);
    const streams: StreamNames[] = [{ id: configVerity, contentIdentifier: configIdentifier(configDigest) }];
    for (const stored of manifestsOfConfig(repo, configDigest)) {
      const layers = manifestLayers(stored, json, new Map(namedRefs));
      if (stored.namedRefs.get(configRefKey(configDigest)) === configVerity || layers === undefined) continue;
      const id = await storeManifest(repo, stored.data, { configDigest, configVerity, layers });
      streams.push({ id, contentIdentifier: manifestIdentifier(stored.digest) });
    }
    repo.registerStreams(streams);
    return configVerity;
  });
}

/** The layers of a stored manifest in the order of its stream: those of the config where it has them. */
function manifestLayers(
  { manifest, namedRefs }: StoredManifest,
  config: Buffer,
  configRefs: ReadonlyMap<string, ObjectId>,
): (readonly [string, ObjectId])[] | undefined {
  try {
    const keys = new Set(extractDiffIds(manifest.config.mediaType, config, manifest.layers));
    const refs = isContainerImage(manifest) ? new Map([...namedRefs, ...configRefs]) : namedRefs;
    return layerRefsInOrder([...keys], refs);
  } catch {
    // A damaged manifest stays as it is.
    return undefined;
  }
}
