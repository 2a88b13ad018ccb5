import { parse, TomlError } from 'smol-toml';
import type * as v from 'valibot';
import { validate } from './schema.js';

/** What is wrong, and where, in one line: the message of the parser goes on with the lines around the fault. */
export function tomlFault({ line, column, message }: TomlError): string {
  const [reason = ''] = message.split('\n');
  return `line ${line}, column ${column}: ${reason}`;
}

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
    throw fail(tomlFault(cause));
  }
  return validate(schema, parsed, ({ path = 'document', message }) => fail(`${path}: ${message}`));
}
