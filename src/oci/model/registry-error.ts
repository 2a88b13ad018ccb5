import { ERROR_CODES, type ErrorCodeOf, type SystemErrorCode, systemCode } from '../../error-codes.js';
import { ComposefsError, type ErrorDetails } from '../../errors.js';

/** What a {@link RegistryError} says besides its code and message. */
export interface RegistryErrorDetails extends ErrorDetails {
  /** The HTTP status, if there was an answer. */
  readonly status?: number;
  /** Whether the same request may succeed a little later. Default: false. */
  readonly retriable?: boolean;
  /** The server's wish, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** Also what is wrong with a blob or document that comes from a registry; `INTERNAL` for what has no name. */
export type RegistryErrorCode =
  | ErrorCodeOf<'registry' | 'sources' | 'oci'>
  | SystemErrorCode
  | 'NOT_FOUND'
  | 'INTERNAL';

/** A code as it is, if it is one that errors of registries have, else `INTERNAL`. */
export function registryCode(code: string): RegistryErrorCode {
  return isRegistryCode(code) ? code : systemCode(code);
}

function isRegistryCode(code: string): code is RegistryErrorCode {
  const { registry, sources, oci } = ERROR_CODES;
  return [registry, sources, oci].some((codes) => Object.hasOwn(codes, code)) || code === 'NOT_FOUND';
}

/** A registry, a token server or the network between failed. */
export class RegistryError extends ComposefsError {
  declare readonly code: RegistryErrorCode;
  readonly status: number | undefined;
  readonly retriable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: RegistryErrorCode, message: string, details: RegistryErrorDetails = {}) {
    super(code, message, details);
    this.status = details.status;
    this.retriable = details.retriable ?? false;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** A URL for messages: without the query, where signed URLs and token requests have their secrets. */
export function displayUrl(url: URL): string {
  return displayText(url.origin + url.pathname);
}

/** Text of a server for a message: one line, no control characters, bounded. */
export function displayText(text: string, limit = 300): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\s]+/g, ' ').trim();
  return line.length > limit ? `${line.slice(0, limit)}…` : line;
}
