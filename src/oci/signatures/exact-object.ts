import { ComposefsError } from '../../errors.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../json/json.js';

/** A document of which every field counts has another one, or one of the wrong type. Code `UNEXPECTED_FIELD`. */
export class FieldError extends ComposefsError {
  constructor(message: string) {
    super('UNEXPECTED_FIELD', message);
  }
}

/** An object whose fields are not judged. */
export function anyObject(where: string, value: JsonValue | undefined): JsonObject {
  if (isJsonObject(value)) return value;
  throw new FieldError(`${where} is not an object`);
}

/**
 * An object with no other fields than these. What decides about trust is read strictly: a field that is not understood,
 * because of a typing error or a newer format, could be the one that limits.
 */
export function exactObject(
  where: string,
  value: JsonValue | undefined,
  required: readonly string[],
  optional: readonly string[] = [],
): JsonObject {
  const object = anyObject(where, value);
  const unknown = Object.keys(object).find((key) => !required.includes(key) && !optional.includes(key));
  if (unknown !== undefined) throw new FieldError(`${where} has the unknown field '${unknown}'`);
  const missing = required.find((key) => object[key] === undefined);
  if (missing !== undefined) throw new FieldError(`${where} has no field '${missing}'`);
  return object;
}

export function textField(where: string, object: JsonObject, key: string): string {
  const value = object[key];
  if (typeof value === 'string') return value;
  throw new FieldError(`'${key}' of ${where} is not text`);
}
