import { ComposefsError } from '../../errors.js';
import { type JsonObject, type JsonValue, MAX_MANIFEST_BYTES, parseJson } from '../../json/json.js';
import { writeJson } from '../../json/write-json.js';
import type { Descriptor } from '../model/descriptor.js';
import { type ManifestDocument, parseManifest } from '../model/manifest.js';
import { DOCKER_MANIFEST, OCI_IMAGE_CONFIG, OCI_MANIFEST } from '../model/media-types.js';
import { isContentAnnotation } from './layer-compression.js';

/** A layer in its new form; undefined: as it was. */
export type ChangedLayer = Pick<Descriptor, 'mediaType' | 'digest' | 'size'> | undefined;

const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.';
const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
const OCI_FOREIGN_LAYER = 'application/vnd.oci.image.layer.nondistributable.v1.tar';

/**
 * The manifest with other blobs for its layers; everything else is as it was, fields that nobody knows too. What is said
 * of the old blobs only goes: their URLs, their bytes, tables of contents. Docker's manifest becomes an OCI one where a
 * layer is Zstandard, which it has no type for.
 *
 * @param layers one for each layer of the manifest.
 */
export function rewriteManifest(raw: Buffer, layers: readonly ChangedLayer[]): ManifestDocument {
  const manifest = requireObject(parseJson(raw, MAX_MANIFEST_BYTES));
  const old = Array.isArray(manifest['layers']) ? manifest['layers'] : [];
  const changed = { ...manifest, layers: old.map((layer, index) => changeLayer(requireObject(layer), layers[index])) };
  const needsOci = layers.some(
    (layer) => layer?.mediaType.startsWith(DOCKER_LAYER) && layer.mediaType.endsWith('zstd'),
  );
  return parseManifest(Buffer.from(writeJson(needsOci ? toOci(changed) : changed)));
}

function changeLayer(layer: JsonObject, change: ChangedLayer): JsonObject {
  if (change === undefined) return layer;
  const { urls, data, annotations, ...rest } = layer;
  const kept = Object.entries(requireObject(annotations ?? {})).filter(([key]) => isContentAnnotation(key));
  return {
    ...rest,
    mediaType: change.mediaType,
    digest: change.digest,
    size: BigInt(change.size),
    ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }),
  };
}

function toOci(manifest: JsonObject & { readonly layers: readonly JsonObject[] }): JsonObject {
  return {
    ...manifest,
    ...(manifest['mediaType'] === DOCKER_MANIFEST && { mediaType: OCI_MANIFEST }),
    config: { ...requireObject(manifest['config']), mediaType: OCI_IMAGE_CONFIG },
    layers: manifest.layers.map((layer) => ({ ...layer, mediaType: ociLayerType(String(layer['mediaType'])) })),
  };
}

function ociLayerType(mediaType: string): string {
  const [, foreign, compression] =
    /^application\/vnd\.docker\.image\.rootfs\.(foreign\.)?diff\.tar(?:\.(gzip|zstd))?$/.exec(mediaType) ?? [];
  const plain = foreign === undefined ? OCI_LAYER : OCI_FOREIGN_LAYER;
  if (!mediaType.startsWith(DOCKER_LAYER)) return mediaType;
  return compression === undefined ? plain : `${plain}+${compression}`;
}

function requireObject(value: JsonValue | undefined): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new ComposefsError('INVALID_DOCUMENT', 'the stored manifest is not what it was when it was read');
}
