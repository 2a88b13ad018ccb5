import * as v from 'valibot';
import { isJsonObject, type JsonObject } from './json.js';

/**
 * The pieces that schemas of documents are made of. Input is what {@link parseJson} gives, with integers as bigints, or a
 * parser of TOML. Unknown keys pass and are dropped from the result.
 */

/** What is wrong with a value. */
export interface Fault {
  /** Of the field, with dots; undefined for the whole. */
  readonly path: string | undefined;
  readonly message: string;
  /** The field is not there at all. */
  readonly isMissing: boolean;
}

/**
 * What the schema makes of a value.
 *
 * @param fail gives the error to throw for the first thing that is wrong.
 */
export function validate<T>(schema: v.GenericSchema<unknown, T>, value: unknown, fail: (fault: Fault) => Error): T {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const isMissing = issue.received === 'undefined';
  throw fail({ path: v.getDotPath(issue) ?? undefined, message: issue.message, isMissing });
}

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

/** An object with any fields. */
export const object: v.GenericSchema<unknown, JsonObject> = v.custom<JsonObject>(
  (value) => isJsonObject(value),
  NOT_AN_OBJECT,
);

/**
 * A map from text to text, in the order of the document; `null` is the empty text, as for Go. Not `v.record`, which drops a
 * key named `constructor`.
 */
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
