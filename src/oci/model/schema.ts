import * as v from 'valibot';
import { ComposefsError, errorChain } from '../../errors.js';
import { type JsonObject, type JsonValue, parseJson } from '../../json/json.js';
import { type OciDigest, parseOciDigest, sha256ContentDigest } from './digest.js';

/**
 * The pieces that the schemas of OCI documents are made of. Input is the output of {@link parseJson}: integers are
 * bigints. Unknown keys pass and are dropped from the parsed value; the raw bytes keep them.
 */

/** A parsed document beside the bytes it was parsed from. Digests are over `raw`; never serialise `value` again. */
export interface Document<T> {
  readonly raw: Buffer;
  /** The SHA-256 digest of `raw`. */
  readonly digest: OciDigest;
  readonly value: T;
}

/** Code `INVALID_DOCUMENT`. The message names the kind of document and the path of the offending field. */
export class DocumentError extends ComposefsError {}

/** Values as a {@link struct} returns them: optional fields that were `null` are absent. */
type WithoutNulls<T> = { [K in keyof T]: Exclude<T[K], null | undefined> };

const NOT_AN_OBJECT = 'expected an object';

/** An object with known fields. `null` equals absent for the optional ones. */
export function struct<const T extends v.ObjectEntries>(entries: T): v.GenericSchema<unknown, StructOutput<T>> {
  const schema = v.pipe(v.object(entries, NOT_AN_OBJECT), v.transform(withoutNulls));
  const noArray = v.never(NOT_AN_OBJECT);
  // An array has no known field, but all optional ones could be missing, and v.object takes it.
  return v.lazy<v.GenericSchema<unknown, StructOutput<T>>>((input) => (Array.isArray(input) ? noArray : schema));
}

type StructOutput<T extends v.ObjectEntries> = WithoutNulls<v.InferOutput<v.ObjectSchema<T, string>>>;

function withoutNulls<T extends object>(value: T): WithoutNulls<T> {
  const kept = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return Object.fromEntries(kept) as WithoutNulls<T>;
}

export const text: v.StringSchema<string> = v.string('expected a string');
export const flag: v.BooleanSchema<string> = v.boolean('expected true or false');

export function list<T extends v.GenericSchema<unknown, unknown>>(item: T): v.ArraySchema<T, string> {
  return v.array(item, 'expected an array');
}

/** A list that has to be there, but may be `null`, as Go writes an empty one. */
export function listOrNull<T>(item: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, readonly T[]> {
  return v.nullable(list(item), []);
}

const object: v.GenericSchema<unknown, JsonObject> = v.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  NOT_AN_OBJECT,
);

/** A map from text to text, in the order of the document; `null` is the empty text, as for Go. Not `v.record`, which drops a key named `constructor`. */
export const textMap: v.GenericSchema<unknown, Readonly<Record<string, string>>> = v.pipe(
  object,
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const map: Record<string, string> = Object.create(null);
    for (const [key, item] of Object.entries(dataset.value)) {
      const value = item ?? '';
      if (typeof value !== 'string') {
        addIssue({ message: `expected a string for key ${JSON.stringify(key)}` });
        return NEVER;
      }
      map[key] = value;
    }
    return map;
  }),
);

export type KeySet = Readonly<Record<string, Readonly<Record<string, never>>>>;

/** A set of keys in the form that Go writes: `{"80/tcp": {}}`. */
export const keySet: v.GenericSchema<unknown, KeySet> = v.pipe(
  object,
  v.transform((value) => {
    const set: Record<string, Readonly<Record<string, never>>> = Object.create(null);
    for (const key of Object.keys(value)) set[key] = {};
    return set;
  }),
);

/** A non-negative integer up to `max`, written as one: no fraction, no exponent, no text. */
export function unsigned(max: number): v.GenericSchema<unknown, number> {
  return v.pipe(
    v.bigint('expected an integer'),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const value = Number(dataset.value);
      if (value >= 0 && value <= max) return value;
      addIssue({ message: `${dataset.value} is not between 0 and ${max}` });
      return NEVER;
    }),
  );
}

export const ociDigest: v.GenericSchema<unknown, OciDigest> = v.pipe(
  text,
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    try {
      return parseOciDigest(dataset.value);
    } catch (error) {
      addIssue({ message: errorChain(error).join(': ') });
      return NEVER;
    }
  }),
);

/**
 * Parses `raw` as JSON and by `schema`.
 *
 * @throws DocumentError, with a JsonError as its cause where the bytes are no strict JSON.
 */
export function parseDocument<T>(
  what: string,
  schema: v.GenericSchema<unknown, T>,
  raw: Buffer,
  maxBytes: number,
): Document<T> {
  let json: JsonValue;
  try {
    json = parseJson(raw, maxBytes);
  } catch (cause) {
    throw new DocumentError('INVALID_DOCUMENT', `Invalid ${what}`, { cause });
  }
  const result = v.safeParse(schema, json, { abortEarly: true });
  if (!result.success) throw new DocumentError('INVALID_DOCUMENT', `Invalid ${what}: ${explain(result.issues[0])}`);
  return { raw, digest: sha256ContentDigest(raw), value: result.output };
}

function explain(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  if (path === null) return issue.message;
  return issue.received === 'undefined' ? `missing field '${path}'` : `field '${path}': ${issue.message}`;
}
