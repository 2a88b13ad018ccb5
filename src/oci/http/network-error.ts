import { systemCode } from '../../error-codes.js';
import { ComposefsError, errorCode } from '../../errors.js';
import { displayUrl, RegistryError } from '../model/registry-error.js';
import { HttpSyntaxError } from './http-syntax.js';

/** Codes of OpenSSL and Node.js for certificates that do not convince. */
const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
]);

/**
 * What went wrong on the way to `url`, with a hint for the user. Codes: `ENOTFOUND`, `ECONNREFUSED` and other errno
 * names, `TLS_CERTIFICATE`, `TLS_EXPECTED` (the server speaks no TLS), `TLS_FAILED`, `BAD_RESPONSE` (no HTTP).
 */
export function networkError(cause: unknown, url: URL): ComposefsError {
  if (cause instanceof ComposefsError) return cause;
  const code = errorCode(cause);
  if (code === 'ENOTFOUND') {
    const hint = 'Check the name (docker://HOST[:PORT]/NAME[:TAG]), and the connection to the network.';
    return new RegistryError(code, `The host ${url.hostname} does not exist`, { cause, hint });
  }
  if (code === 'EAI_AGAIN') {
    const hint = 'Check the connection to the network and its name servers.';
    return new RegistryError(code, `The host ${url.hostname} cannot be looked up now`, {
      cause,
      hint,
      retriable: true,
    });
  }
  if (code === 'ECONNREFUSED') {
    const hint = 'Check the port, and whether the registry is running.';
    return new RegistryError(code, `Nothing listens at ${url.host}`, { cause, hint, retriable: true });
  }
  if (CERTIFICATE_CODES.has(code)) return certificateError(cause, code, url);
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return tlsError(cause, code, url);
  if (cause instanceof HttpSyntaxError) {
    const message = `${url.host} does not answer as an HTTP server should: ${cause.message}`;
    return new RegistryError('BAD_RESPONSE', message, { cause, retriable: true });
  }
  const retriable = TRANSIENT_CODES.has(code);
  return new RegistryError(systemCode(code), `The connection to ${displayUrl(url)} failed (${code})`, {
    cause,
    retriable,
  });
}

function certificateError(cause: unknown, code: string, url: URL): RegistryError {
  const reason = cause instanceof Error ? cause.message : code;
  return new RegistryError('TLS_CERTIFICATE', `The certificate of ${url.host} is not trusted: ${reason}`, {
    hint:
      `Put the CA's certificate into /etc/containers/certs.d/${url.host}/ca.crt or into a directory given by ` +
      '--cert-dir. To do without the check: --tls-verify=false, or insecure = true in registries.conf.',
  });
}

/** OpenSSL's own message, a line of places in its source, is left out. */
function tlsError(cause: unknown, code: string, url: URL): RegistryError {
  const detail = cause instanceof Error ? cause.message : '';
  if (
    code === 'ERR_SSL_WRONG_VERSION_NUMBER' ||
    /wrong version number|packet length too long|http request/i.test(detail)
  ) {
    return new RegistryError('TLS_EXPECTED', `${url.host} does not speak TLS`, {
      hint: 'If this registry is meant to do without: --tls-verify=false, or insecure = true in registries.conf.',
    });
  }
  const reason = cause instanceof Error && 'reason' in cause ? String(cause.reason) : code;
  const hint = 'If the server asks for a client certificate, put it into its certs.d directory or --cert-dir.';
  return new RegistryError('TLS_FAILED', `TLS with ${url.host} failed: ${reason}`, { hint });
}
