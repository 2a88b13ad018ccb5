import * as v from 'valibot';
import type { ComposefsError } from '../../errors.js';
import { parseJson } from '../model/json.js';
import type { Credentials } from './credentials.js';
import type { HttpClient, HttpRequest } from './http.js';
import type { HttpResponse } from './http-response.js';
import { displayUrl, RegistryError } from './registry-error.js';
import { statusError } from './status-error.js';

/** A token service and what to ask it for, from a registry's challenge. Plain data. */
export interface TokenService {
  readonly realm: string;
  readonly service?: string;
  /** Such as `repository:library/debian:pull`; empty for a login. */
  readonly scope: string;
}

/** Plain data. */
export interface BearerToken {
  readonly value: string;
  /** When to get a new one: milliseconds since 1970, some time before it expires. */
  readonly refreshAt: number;
}

const MAX_TOKEN_BYTES = 1 << 20;
/** The least that a token without an expiry lives, by the specification of the token protocol. */
const DEFAULT_LIFETIME_S = 60;
const MAX_LIFETIME_S = 24 * 60 * 60;

const tokenResponse = v.object({
  token: v.nullish(v.string()),
  access_token: v.nullish(v.string()),
  expires_in: v.nullish(v.union([v.number(), v.bigint()])),
});

/**
 * Gets a token for a repository: with an identity token by OAuth2 (POST), else by GET, with a password or anonymously.
 * Credentials are never sent in clear to the service of a registry that is reached by TLS.
 *
 * @throws RegistryError
 */
export async function fetchToken(
  http: HttpClient,
  service: TokenService,
  credentials: Credentials | undefined,
  options: { readonly allowPlain: boolean; readonly signal?: AbortSignal | undefined },
): Promise<BearerToken> {
  const realm = URL.canParse(service.realm) ? new URL(service.realm) : undefined;
  if (realm === undefined || (realm.protocol !== 'https:' && realm.protocol !== 'http:')) {
    throw new RegistryError('BAD_RESPONSE', `The registry names a token service that is no URL: ${service.realm}`);
  }
  if (realm.protocol === 'http:' && !options.allowPlain) {
    const message = `The registry names a token service that is not encrypted: ${displayUrl(realm)}`;
    throw new RegistryError('INSECURE_TOKEN_REALM', message);
  }
  const response = await http.request({ ...tokenRequest(realm, service, credentials), signal: options.signal });
  if (response.status !== 200) throw await tokenError(response, credentials);
  return parseToken(await response.bytes(MAX_TOKEN_BYTES), realm);
}

function tokenRequest(realm: URL, service: TokenService, credentials: Credentials | undefined): HttpRequest {
  if (credentials?.identityToken !== undefined) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credentials.identityToken,
      client_id: 'composefs-oci',
      service: service.service ?? '',
      ...(service.scope !== '' && { scope: service.scope }),
    });
    return { url: realm, form };
  }
  const url = new URL(realm);
  if (service.service !== undefined) url.searchParams.set('service', service.service);
  for (const scope of service.scope.split(' ')) if (scope !== '') url.searchParams.append('scope', scope);
  const basic = basicAuthorization(credentials);
  if (basic === undefined) return { url };
  url.searchParams.set('account', credentials?.username ?? '');
  return { url, headers: { authorization: basic } };
}

/** The header for a user and a password; undefined without such. */
export function basicAuthorization(credentials: Credentials | undefined): string | undefined {
  if (credentials?.username === undefined || credentials.password === undefined) return undefined;
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

async function tokenError(response: HttpResponse, credentials: Credentials | undefined): Promise<ComposefsError> {
  // OAuth2 says 400 (invalid_grant) of a refresh token that is no longer good.
  const { status } = response;
  if (credentials === undefined || (status !== 400 && status !== 401 && status !== 403)) {
    return await statusError(response, `The token service ${displayUrl(response.url)}`);
  }
  const kind = credentials.identityToken === undefined ? 'credentials' : 'identity token';
  response.discard();
  const message = `The token service ${displayUrl(response.url)} refuses the ${kind} of ${credentials.origin}`;
  const hint = 'What is stored is wrong or has expired: log in again with `cfsctl oci login`.';
  return new RegistryError('UNAUTHORIZED', message, { status, hint });
}

function parseToken(body: Buffer, realm: URL): BearerToken {
  const where = displayUrl(realm);
  let parsed: v.InferOutput<typeof tokenResponse>;
  try {
    parsed = v.parse(tokenResponse, parseJson(body));
  } catch (cause) {
    throw new RegistryError('BAD_RESPONSE', `The token service ${where} does not answer with a token`, { cause });
  }
  const value = parsed.token || parsed.access_token;
  // It becomes a header: nothing that could end one.
  if (!value || !/^[\x21-\x7e]+$/.test(value)) {
    throw new RegistryError('BAD_RESPONSE', `The token service ${where} answers without a token`);
  }
  const lifetime = Number(parsed.expires_in ?? DEFAULT_LIFETIME_S);
  const seconds = Math.min(Math.max(lifetime || 0, 0), MAX_LIFETIME_S);
  return { value, refreshAt: Date.now() + seconds * 1000 * 0.8 };
}
