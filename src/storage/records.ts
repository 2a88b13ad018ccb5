import * as v from 'valibot';
import { type JsonValue, parseJson } from '../json/json.js';
import { list, listOrNull, struct, text, validate } from '../json/schema.js';
import { StoreError } from './store-error.js';

/** One image of `images.json` (spec 60 §4.4). */
export interface ImageRecord {
  /** Normally the SHA-256 digest of the config, 64 hex digits. A name of one component, whatever it is. */
  readonly id: string;
  readonly names: readonly string[];
  /** The digest of the manifest, as text; not checked. */
  readonly digest: string | undefined;
  /** The id of the layer that is on top of the others; undefined of an image without layers. */
  readonly topLayer: string | undefined;
  /** The keys of the big data. */
  readonly bigDataNames: readonly string[];
  /** RFC 3339, as the config has it. */
  readonly created: string | undefined;
}

/** One layer of `layers.json` (spec 60 §4.3). */
export interface LayerRecord {
  readonly id: string;
  readonly parent: string | undefined;
  /** The digest of the uncompressed tar, as text. */
  readonly diffDigest: string | undefined;
  /** Bytes of the uncompressed tar. */
  readonly diffSize: number | undefined;
  /** Whether its content did not get there completely. */
  readonly isIncomplete: boolean;
}

/** Stores with ten thousands of layers have some MiB. */
export const MAX_RECORDS_BYTES: number = 64 << 20;

const MAX_SIZE = BigInt(Number.MAX_SAFE_INTEGER);

const id = v.pipe(
  text,
  v.check(isSafeId, (issue) => `${issue.received} is no id`),
);

/** What is no size, such as the -1 of layers that came in parts, says nothing. */
const size = v.pipe(
  v.unknown(),
  v.transform((value) => (typeof value === 'bigint' && value >= 0n && value <= MAX_SIZE ? Number(value) : undefined)),
);

const imageRecord = struct({
  id,
  names: v.nullish(list(text)),
  digest: v.nullish(text),
  layer: v.nullish(text),
  'big-data-names': v.nullish(list(text)),
  created: v.nullish(text),
});

const layerRecord = struct({
  id,
  parent: v.nullish(text),
  'diff-digest': v.nullish(text),
  'diff-size': v.nullish(size),
  flags: v.nullish(struct({ incomplete: v.nullish(v.unknown()) })),
});

/** @throws StoreError `INVALID_STORE` with `name` in it */
export function parseImageRecords(bytes: Buffer, name: string): ImageRecord[] {
  return parseRecords(bytes, imageRecord, name).map((record) => ({
    id: record.id,
    names: record.names ?? [],
    digest: record.digest,
    topLayer: record.layer || undefined,
    bigDataNames: record['big-data-names'] ?? [],
    created: record.created,
  }));
}

/** @throws StoreError `INVALID_STORE` with `name` in it */
export function parseLayerRecords(bytes: Buffer, name: string): LayerRecord[] {
  return parseRecords(bytes, layerRecord, name).map((record) => ({
    id: record.id,
    parent: record.parent || undefined,
    diffDigest: record['diff-digest'] || undefined,
    diffSize: record['diff-size'],
    isIncomplete: record.flags?.incomplete === true,
  }));
}

/** Whether an id is the name of one directory entry: what comes from a store becomes part of a path. */
export function isSafeId(text: string): boolean {
  return text !== '' && text !== '.' && text !== '..' && text.length <= 255 && !/[/\0]/.test(text);
}

/** Go writes a list of nothing as null. */
function parseRecords<T>(bytes: Buffer, record: v.GenericSchema<unknown, T>, name: string): readonly T[] {
  let parsed: JsonValue;
  try {
    parsed = parseJson(bytes, MAX_RECORDS_BYTES);
  } catch (cause) {
    throw new StoreError('INVALID_STORE', `Invalid ${name}`, { cause });
  }
  return validate(listOrNull(record), parsed, ({ path, message, isMissing }) => {
    const fault = path === undefined ? message : isMissing ? `missing field '${path}'` : `field '${path}': ${message}`;
    return new StoreError('INVALID_STORE', `Invalid ${name}: ${fault}`);
  });
}
