import * as v from 'valibot';
import { list, struct, text, textMap, unsigned } from '../../json/schema.js';
import type { OciDigest } from './digest.js';
import type { Platform } from './platform.js';
import { ociDigest } from './schema.js';

/** A reference to content by type, digest and size in bytes (spec 40 §2.2). The names are those of the JSON. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: OciDigest;
  /** Bytes. Larger values than 2^53 - 1 are refused. */
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
  /** The content itself, base64. Never used: the blob is read and checked like any other. */
  readonly data?: string;
}

/** Some writers leave the platform empty where there is none. */
const platform: v.GenericSchema<unknown, Platform> = struct({
  architecture: v.nullish(text, ''),
  os: v.nullish(text, ''),
  'os.version': v.nullish(text),
  'os.features': v.nullish(list(text)),
  variant: v.nullish(text),
});

const fields = {
  digest: ociDigest,
  size: unsigned(Number.MAX_SAFE_INTEGER),
  urls: v.nullish(list(text)),
  annotations: v.nullish(textMap),
  platform: v.nullish(platform),
  artifactType: v.nullish(text),
  data: v.nullish(text),
};

export const descriptor: v.GenericSchema<unknown, Descriptor> = struct({ mediaType: text, ...fields });

/** What an index lists: without a media type it is of an unknown kind, and no fault of the index. */
export const listedDescriptor: v.GenericSchema<unknown, Descriptor> = struct({
  mediaType: v.nullish(text, ''),
  ...fields,
});
