import * as v from 'valibot';
import { ComposefsError, errorChain } from '../../errors.js';
import { type JsonValue, parseJson } from '../../json/json.js';
import { type Fault, object, text, validate } from '../../json/schema.js';
import { type OciDigest, parseOciDigest, sha256ContentDigest } from './digest.js';

/** What the schemas of OCI documents have in common. Unknown keys are dropped; the raw bytes keep them. */

/** A parsed document beside the bytes it was parsed from. Digests are over `raw`; never serialise `value` again. */
export interface Document<T> {
  readonly raw: Buffer;
  /** The SHA-256 digest of `raw`. */
  readonly digest: OciDigest;
  readonly value: T;
}

/** Code `INVALID_DOCUMENT`. The message names the kind of document and the path of the offending field. */
export class DocumentError extends ComposefsError {}

/** A set as JSON of Go has it: an object of empty objects. */
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
  const value = validate(
    schema,
    json,
    (fault) => new DocumentError('INVALID_DOCUMENT', `Invalid ${what}: ${explain(fault)}`),
  );
  return { raw, digest: sha256ContentDigest(raw), value };
}

function explain({ path, message, isMissing }: Fault): string {
  if (path === undefined) return message;
  return isMissing ? `missing field '${path}'` : `field '${path}': ${message}`;
}
