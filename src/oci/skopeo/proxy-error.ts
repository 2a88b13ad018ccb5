import type { ErrorCodeOf } from '../../error-codes.js';
import { ComposefsError, type ErrorDetails } from '../../errors.js';

/**
 * skopeo could not do what it was asked. Codes: `SKOPEO_NOT_FOUND` (not installed), `SKOPEO_TOO_OLD`, `SKOPEO_FAILED` (its
 * answer is an error), `SKOPEO_EXITED`, `SKOPEO_PROTOCOL` (an answer that makes no sense).
 */
export class SkopeoError extends ComposefsError {
  declare readonly code: ErrorCodeOf<'sources'>;

  constructor(code: ErrorCodeOf<'sources'>, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}

/** What skopeo answers, and what the user can do about it. */
const HINTS: readonly (readonly [answer: RegExp, hint: string])[] = [
  [
    /cannot connect to the docker daemon/i,
    'Is the Docker daemon running, and may you talk to it? DOCKER_HOST names another.',
  ],
  [/unauthorized|authentication required|access .* denied/i, 'Log in first: skopeo login HOST.'],
  [/server gave HTTP response to HTTPS client/i, 'If the registry has no TLS: --tls-verify=false.'],
  [/certificate signed by unknown authority|x509:/i, 'Put the CA into certs.d, or use --tls-verify=false.'],
];

/** @param answer what skopeo says. */
export function answeredError(method: string, answer: string): SkopeoError {
  const hint = HINTS.find(([pattern]) => pattern.test(answer))?.[1];
  return new SkopeoError('SKOPEO_FAILED', `failed to invoke method ${method}: ${answer}`, details(hint));
}

export function protocolError(method: string, what: string): SkopeoError {
  return new SkopeoError('SKOPEO_PROTOCOL', `skopeo's answer to ${method} is unusable: ${what}`);
}

function details(hint: string | undefined): ErrorDetails {
  return hint === undefined ? {} : { hint };
}
