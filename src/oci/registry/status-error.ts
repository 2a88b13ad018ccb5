import * as v from 'valibot';
import { parseJson } from '../../json/json.js';
import type { HttpResponse } from '../http/http-response.js';
import { parseRetryAfter } from '../http/retry.js';
import { displayText, displayUrl, RegistryError } from '../model/registry-error.js';

const MAX_ERROR_BYTES = 64 << 10;
/** Statuses after which the same request may succeed: timeouts, overload, gateways in trouble. */
const TRANSIENT: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

const errorBody = v.object({
  errors: v.pipe(v.array(v.object({ code: v.nullish(v.string()), message: v.nullish(v.string()) })), v.minLength(1)),
});

/** What a registry may say of what it does not have. */
const UNKNOWN = ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'BLOB_UNKNOWN'] as const;

/**
 * What an answer that is no success means. Codes: `UNAUTHORIZED` (401), `DENIED` (403), the registry's own such as
 * `MANIFEST_UNKNOWN`, `NAME_UNKNOWN` and `BLOB_UNKNOWN`, else `NOT_FOUND` (404), `TOOMANYREQUESTS` (429),
 * `REGISTRY_FAILED` (5xx), `UNEXPECTED_STATUS`.
 *
 * @param who - the subject of the message.
 */
export async function statusError(response: HttpResponse, who: string): Promise<RegistryError> {
  const { status } = response;
  const said = await readReason(response);
  const reason = said.message === '' ? '' : `: ${said.message}`;
  const retryAfterMs = parseRetryAfter(response.headers['retry-after']);
  const details = { status, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  switch (status) {
    case 401:
      return new RegistryError('UNAUTHORIZED', `${who} wants a login (401)${reason}`, details);
    case 403:
      return new RegistryError('DENIED', `${who} denies access (403)${reason}`, {
        ...details,
        hint: 'Check the name, and log in with an account that may pull it: `cfsctl oci login`.',
      });
    case 404:
      return new RegistryError(
        UNKNOWN.find((code) => code === said.code) ?? 'NOT_FOUND',
        `${who} does not have it (404)${reason}`,
        details,
      );
    case 429:
      return new RegistryError('TOOMANYREQUESTS', `${who} has had too many requests (429)${reason}`, {
        ...details,
        // A spent quota comes back in hours; a server that means less says when to come back.
        retriable: retryAfterMs !== undefined || !isQuota(said),
        hint: 'Log in for a higher limit (`cfsctl oci login HOST`), or try again later.',
      });
    default: {
      const retriable = TRANSIENT.has(status);
      const code = status >= 500 ? 'REGISTRY_FAILED' : 'UNEXPECTED_STATUS';
      return new RegistryError(code, `${who} answers with status ${status}${reason}`, { ...details, retriable });
    }
  }
}

function isQuota(said: Reason): boolean {
  return said.code === 'TOOMANYREQUESTS' || /toomanyrequests|rate limit|quota/i.test(said.message);
}

/** What a registry says about a refusal. */
export interface Reason {
  readonly code: string | undefined;
  /** Empty if it says nothing. */
  readonly message: string;
}

/** Reads the error document of an answer, which never fails. */
export async function readReason(response: HttpResponse): Promise<Reason> {
  const none: Reason = { code: undefined, message: '' };
  let body: Buffer;
  try {
    body = await response.document(MAX_ERROR_BYTES);
  } catch {
    return none;
  }
  try {
    const [first] = v.parse(errorBody, parseJson(body)).errors;
    const code = /^[A-Z][A-Z0-9_]{1,50}$/.test(first?.code ?? '') ? (first?.code ?? undefined) : undefined;
    return { code, message: displayText(first?.message ?? first?.code ?? '') };
  } catch {
    // Pages for people say nothing that the status does not.
    const isText = /^text\/plain\b/.test(response.headers['content-type'] ?? '');
    return isText ? { code: undefined, message: displayText(body.toString('utf8')) } : none;
  }
}

/** `host/path` of a request, for {@link statusError}. */
export function answerer(response: HttpResponse): string {
  return displayUrl(response.url);
}
