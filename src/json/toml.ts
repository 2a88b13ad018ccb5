import { parse, TomlError } from 'smol-toml';
import type * as v from 'valibot';
import { validate } from './schema.js';

/**
 * Parses a file in TOML, as those of containers are, by a schema.
 *
 * @param fail gives the error to throw, of a text that names the place in the file.
 */
export function parseToml<T>(
  content: string,
  schema: v.GenericSchema<unknown, T>,
  fail: (message: string) => Error,
): T {
  let parsed: unknown;
  try {
    parsed = parse(content);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    // The message goes on with the lines around the fault.
    const [reason = ''] = cause.message.split('\n');
    throw fail(`line ${cause.line}, column ${cause.column}: ${reason}`);
  }
  return validate(schema, parsed, ({ path = 'document', message }) => fail(`${path}: ${message}`));
}
