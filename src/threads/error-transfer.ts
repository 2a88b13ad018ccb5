import { knownCode } from '../error-codes.js';
import { ComposefsError, errorCode, lineageOf, withLineage } from '../errors.js';

/** An error with its causes as plain data: structured clone would drop codes and hints on the way between threads. */
export interface TransferredError {
  readonly name: string;
  /** The classes that it is an instance of. */
  readonly lineage: readonly string[];
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly stack: string | undefined;
  /** What else its class says of it: an HTTP status, the kind of a fault. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly cause: TransferredError | undefined;
}

const COMMON: ReadonlySet<string> = new Set(['name', 'code', 'hint', 'stack', 'message', 'cause']);

export function packError(error: unknown): TransferredError {
  const isError = error instanceof Error;
  return {
    name: isError ? error.name : 'Error',
    lineage: isError ? lineageOf(error) : [],
    code: errorCode(error),
    message: isError ? error.message : String(error),
    hint: error instanceof ComposefsError ? error.hint : undefined,
    stack: isError ? error.stack : undefined,
    fields: isError ? plainFields(error) : {},
    cause: isError && error.cause !== undefined ? packError(error.cause) : undefined,
  };
}

/** What can cross threads of an error's own properties: texts, numbers, truth values. */
function plainFields(error: Error): Record<string, unknown> {
  const isPlain = (value: unknown): boolean => ['string', 'number', 'boolean', 'bigint'].includes(typeof value);
  return Object.fromEntries(Object.entries(error).filter(([key, value]) => !COMMON.has(key) && isPlain(value)));
}

/** An error that is `instanceof` what the packed one was, with the same fields. */
export function unpackError(packed: TransferredError): ComposefsError {
  const error = new ComposefsError(knownCode(packed.code), packed.message, {
    ...(packed.hint !== undefined && { hint: packed.hint }),
    ...(packed.cause !== undefined && { cause: unpackError(packed.cause) }),
  });
  error.name = packed.name;
  if (packed.stack !== undefined) error.stack = packed.stack;
  return Object.assign(withLineage(error, packed.lineage), packed.fields);
}
