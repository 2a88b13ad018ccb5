import { ComposefsError } from '../../errors.js';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../json/json.js';
import { writeJson } from '../../json/write-json.js';
import type { Descriptor } from '../model/descriptor.js';
import { parseIndex } from '../model/index-document.js';
import { OCI_INDEX, REF_NAME_ANNOTATION } from '../model/media-types.js';

/** The file `oci-layout`. */
export const LAYOUT_FILE: Buffer = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

export const EMPTY_INDEX: Buffer = Buffer.from(`{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[]}`);

/** Of the image specification: what the annotation `org.opencontainers.image.ref.name` may be. */
const REF_NAME = /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;

/** @throws ComposefsError `INVALID_REF_NAME` */
export function checkRefName(tag: string): void {
  if (tag.length <= 1024 && REF_NAME.test(tag)) return;
  throw new ComposefsError('INVALID_REF_NAME', `'${tag}' cannot be a tag in an OCI layout`, {
    hint: 'letters and digits, and between them one of - . _ : @ + /',
  });
}

/**
 * An `index.json` with an image added, under a tag or without. An image that had the tag stays, without it, as skopeo has
 * it. All else is as it was.
 *
 * @throws DocumentError, JsonError for an index that is none.
 */
export function addToIndex(raw: Buffer, manifest: Descriptor, tag: string | undefined): Buffer {
  parseIndex(raw);
  const index = parseJson(raw);
  if (!isJsonObject(index)) throw new ComposefsError('INVALID_DOCUMENT', 'index.json is no object');
  const listed = Array.isArray(index['manifests']) ? index['manifests'].filter(isJsonObject) : [];
  const others = tag === undefined ? listed : listed.map((entry) => withoutTag(entry, tag));
  const isThere = others.some((entry) => entry['digest'] === manifest.digest && tagOf(entry) === undefined);
  // An image without a tag is listed once; one that gets a tag takes the place of its entry without.
  const kept =
    tag === undefined ? others : others.filter((entry) => !(entry['digest'] === manifest.digest && isBare(entry)));
  const entry = indexEntry(manifest, tag);
  const manifests = tag === undefined && isThere ? kept : [...kept, entry];
  return Buffer.from(writeJson({ ...index, manifests }));
}

function indexEntry({ mediaType, digest, size, artifactType }: Descriptor, tag: string | undefined): JsonObject {
  return {
    mediaType,
    digest,
    size: BigInt(size),
    ...(artifactType !== undefined && { artifactType }),
    ...(tag !== undefined && { annotations: { [REF_NAME_ANNOTATION]: tag } }),
  };
}

function tagOf(entry: JsonObject): JsonValue | undefined {
  const { annotations } = entry;
  return isJsonObject(annotations) ? annotations[REF_NAME_ANNOTATION] : undefined;
}

function withoutTag(entry: JsonObject, tag: string): JsonObject {
  if (tagOf(entry) !== tag) return entry;
  const { annotations, ...rest } = entry;
  const { [REF_NAME_ANNOTATION]: _, ...others } = isJsonObject(annotations) ? annotations : {};
  return Object.keys(others).length === 0 ? rest : { ...rest, annotations: others };
}

/** Whether an entry says nothing but what the manifest is. */
function isBare(entry: JsonObject): boolean {
  return Object.keys(entry).every((key) => key === 'mediaType' || key === 'digest' || key === 'size');
}
