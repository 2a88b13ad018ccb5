import type * as v from 'valibot';
import { MAX_MANIFEST_BYTES } from '../../json/json.js';
import { list, struct, text, unsigned } from '../../json/schema.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { ociDigest, parseDocument } from '../model/schema.js';
import { protocolError } from './proxy-error.js';

const layerInfo: v.GenericSchema<unknown, readonly { digest: OciDigest; size: number; media_type: string }[]> = list(
  struct({ digest: ociDigest, size: unsigned(Number.MAX_SAFE_INTEGER), media_type: text }),
);

/**
 * What the proxy has in place of each of the manifest's layers: an array beside theirs. A layer that is there twice is
 * the first one.
 *
 * @throws DocumentError; SkopeoError `SKOPEO_PROTOCOL`
 */
export function parseLayerInfo(layers: readonly Descriptor[], raw: Buffer): ReadonlyMap<OciDigest, Descriptor> {
  const { value } = parseDocument('layer info', layerInfo, raw, MAX_MANIFEST_BYTES);
  if (value.length !== layers.length) {
    throw protocolError('GetLayerInfo', `${value.length} layers, but the manifest has ${layers.length}`);
  }
  const found = new Map<OciDigest, Descriptor>();
  for (const [index, { digest }] of layers.entries()) {
    const info = value[index];
    if (info === undefined || found.has(digest)) continue;
    found.set(digest, { mediaType: info.media_type, digest: info.digest, size: info.size });
  }
  return found;
}
