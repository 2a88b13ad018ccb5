import { ComposefsError, errorCode } from '../errors.js';

/** An error with its causes as plain data: structured clone would drop codes and hints on the way between threads. */
export interface TransferredError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly stack: string | undefined;
  readonly cause: TransferredError | undefined;
}

export function packError(error: unknown): TransferredError {
  const isError = error instanceof Error;
  return {
    name: isError ? error.name : 'Error',
    code: errorCode(error),
    message: isError ? error.message : String(error),
    hint: error instanceof ComposefsError ? error.hint : undefined,
    stack: isError ? error.stack : undefined,
    cause: isError && error.cause !== undefined ? packError(error.cause) : undefined,
  };
}

export function unpackError(packed: TransferredError): ComposefsError {
  const error = new ComposefsError(packed.code, packed.message, {
    ...(packed.hint !== undefined && { hint: packed.hint }),
    ...(packed.cause !== undefined && { cause: unpackError(packed.cause) }),
  });
  error.name = packed.name;
  if (packed.stack !== undefined) error.stack = packed.stack;
  return error;
}
