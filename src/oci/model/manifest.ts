import * as v from 'valibot';
import { MAX_MANIFEST_BYTES } from '../../json/json.js';
import { listOrNull, struct, text, textMap, unsigned } from '../../json/schema.js';
import { type Descriptor, descriptor } from './descriptor.js';
import { DELTA_ARTIFACT_TYPE, isImageConfigMediaType, OCI_EMPTY } from './media-types.js';
import { type Document, parseDocument } from './schema.js';

/** An image manifest (spec 40 §2.2). The names are those of the JSON. */
export interface ImageManifest {
  /** Not checked: 2 in every document in use. */
  readonly schemaVersion: number;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A manifest with the bytes that its digest is of. */
export type ManifestDocument = Document<ImageManifest>;

const manifest: v.GenericSchema<unknown, ImageManifest> = struct({
  schemaVersion: unsigned(0xffff_ffff),
  mediaType: v.nullish(text),
  artifactType: v.nullish(text),
  config: descriptor,
  layers: listOrNull(descriptor),
  subject: v.nullish(descriptor),
  annotations: v.nullish(textMap),
});

/**
 * Parses an image manifest, OCI or Docker schema 2, of at most 4 MiB. An index never parses as one.
 *
 * @throws DocumentError
 */
export function parseManifest(raw: Buffer): ManifestDocument {
  return parseDocument('image manifest', manifest, raw, MAX_MANIFEST_BYTES);
}

/** Whether the manifest is that of a container image; anything else is an artifact (spec 40 §2.5). */
export function isContainerImage(value: ImageManifest): boolean {
  return isImageConfigMediaType(value.config.mediaType);
}

/**
 * What an artifact is (image-spec, manifest.md, "Guidelines for Artifact Usage"): its type, else the media type of its
 * config, or of its content where the config is empty. Undefined for a container image.
 */
export function artifactType({ artifactType: type, config, layers }: ImageManifest): string | undefined {
  if (isImageConfigMediaType(config.mediaType)) return undefined;
  if (type) return type;
  return config.mediaType === OCI_EMPTY ? (layers[0]?.mediaType ?? OCI_EMPTY) : config.mediaType;
}

/** Whether the manifest describes the difference between two images (spec 40 §11.1). */
export function isDelta(value: ImageManifest): boolean {
  return value.artifactType === DELTA_ARTIFACT_TYPE;
}
