import * as v from 'valibot';
import { MAX_JSON_BYTES } from '../../json/json.js';
import { listOrNull, struct, text, textMap, unsigned } from '../../json/schema.js';
import { type Descriptor, descriptor, listedDescriptor } from './descriptor.js';
import { type Document, parseDocument } from './schema.js';

/** An image index, or Docker's manifest list: the entry point of a layout, or one image for several platforms. */
export interface ImageIndex {
  readonly schemaVersion: number;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export type IndexDocument = Document<ImageIndex>;

const index: v.GenericSchema<unknown, ImageIndex> = struct({
  schemaVersion: unsigned(0xffff_ffff),
  mediaType: v.nullish(text),
  artifactType: v.nullish(text),
  manifests: listOrNull(listedDescriptor),
  subject: v.nullish(descriptor),
  annotations: v.nullish(textMap),
});

/**
 * Parses an image index. `maxBytes` is for those that come as blobs; the `index.json` of a large layout may exceed it.
 *
 * @throws DocumentError
 */
export function parseIndex(raw: Buffer, maxBytes: number = MAX_JSON_BYTES): IndexDocument {
  return parseDocument('image index', index, raw, maxBytes);
}
