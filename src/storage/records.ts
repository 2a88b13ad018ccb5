import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../json/json.js';
import { StoreError } from './store-error.js';

/** One image of `images.json` (spec 60 §4.4). */
export interface ImageRecord {
  /** Normally the SHA-256 digest of the config, 64 hex digits. A name of one component, whatever it is. */
  readonly id: string;
  readonly names: readonly string[];
  /** The digest of the manifest, as text; not checked. */
  readonly digest: string | undefined;
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

/** @throws StoreError `INVALID_STORE` with `name` in it */
export function parseImageRecords(bytes: Buffer, name: string): ImageRecord[] {
  return parseRecords(bytes, name).map((record) => ({
    id: requireId(record, name),
    names: texts(record, 'names', name),
    digest: text(record, 'digest', name),
    bigDataNames: texts(record, 'big-data-names', name),
    created: text(record, 'created', name),
  }));
}

/** @throws StoreError `INVALID_STORE` with `name` in it */
export function parseLayerRecords(bytes: Buffer, name: string): LayerRecord[] {
  return parseRecords(bytes, name).map((record) => ({
    id: requireId(record, name),
    parent: text(record, 'parent', name) || undefined,
    diffDigest: text(record, 'diff-digest', name) || undefined,
    diffSize: size(record['diff-size']),
    isIncomplete: isIncomplete(record['flags']),
  }));
}

/** Whether an id is the name of one directory entry: what comes from a store becomes part of a path. */
export function isSafeId(id: string): boolean {
  return id !== '' && id !== '.' && id !== '..' && id.length <= 255 && !/[/\0]/.test(id);
}

function parseRecords(bytes: Buffer, name: string): JsonObject[] {
  let parsed: JsonValue;
  try {
    parsed = parseJson(bytes, MAX_RECORDS_BYTES);
  } catch (cause) {
    throw new StoreError('INVALID_STORE', `Invalid ${name}`, { cause });
  }
  // Go writes a list of nothing as null.
  if (parsed === null) return [];
  if (!Array.isArray(parsed)) throw invalid(name, 'expected an array');
  return parsed.map((record: JsonValue) => {
    if (!isJsonObject(record)) throw invalid(name, 'expected an array of objects');
    return record;
  });
}

function requireId(record: JsonObject, name: string): string {
  const id = text(record, 'id', name);
  if (id === undefined || !isSafeId(id)) throw invalid(name, `${JSON.stringify(id)} is no id`);
  return id;
}

function text(record: JsonObject, key: string, name: string): string | undefined {
  const value = record[key] ?? undefined;
  if (value !== undefined && typeof value !== 'string') throw invalid(name, `field '${key}': expected a string`);
  return value;
}

function texts(record: JsonObject, key: string, name: string): string[] {
  const value = record[key] ?? [];
  if (!Array.isArray(value)) throw invalid(name, `field '${key}': expected an array`);
  return value.map((item: JsonValue) => {
    if (typeof item !== 'string') throw invalid(name, `field '${key}': expected strings`);
    return item;
  });
}

/** What is no size, such as the -1 of layers that came in parts, says nothing. */
function size(value: JsonValue | undefined): number | undefined {
  return typeof value === 'bigint' && value >= 0n && value <= Number.MAX_SAFE_INTEGER ? Number(value) : undefined;
}

function isIncomplete(flags: JsonValue | undefined): boolean {
  return isJsonObject(flags) && flags['incomplete'] === true;
}

function invalid(name: string, why: string): StoreError {
  return new StoreError('INVALID_STORE', `Invalid ${name}: ${why}`);
}
