import type { ComposefsError } from '../../errors.js';
import type { Credentials } from '../containers-config/credentials.js';
import type { HttpClient, HttpRequest } from '../http/http.js';
import type { HttpResponse } from '../http/http-response.js';
import { displayText, displayUrl, RegistryError } from '../model/registry-error.js';
import { statusError } from './status-error.js';

/** A token service and what to ask it for, from a registry's challenge. */
export interface TokenService {
  readonly realm: string;
  readonly service?: string;
  /** Such as `repository:library/debian:pull`; empty for a login. */
  readonly scope: string;
}

export interface BearerToken {
  readonly value: string;
  /** When to get a new one: milliseconds since 1970, some time before it expires. */
  readonly refreshAt: number;
}

const MAX_TOKEN_BYTES = 1 << 20;
/** What a token lives of which nothing usable is said, by the specification of the token protocol. */
const DEFAULT_LIFETIME_S = 60;
const MAX_LIFETIME_S = 24 * 60 * 60;

/**
 * Gets a token for a repository: with an identity token by OAuth2 (POST), else by GET, with a password or anonymously.
 *
 * @param trust.allowPlain - false: a service without TLS gets nothing.
 * @param trust.verify - false: nor need its certificate be valid.
 * @throws RegistryError
 */
export async function fetchToken(
  http: HttpClient,
  service: TokenService,
  credentials: Credentials | undefined,
  trust: { readonly allowPlain: boolean; readonly verify: boolean },
  signal: AbortSignal | undefined,
): Promise<BearerToken> {
  const realm = URL.canParse(service.realm) ? new URL(service.realm) : undefined;
  if (realm === undefined || (realm.protocol !== 'https:' && realm.protocol !== 'http:')) {
    const message = `The registry names a token service that is no URL: ${displayText(service.realm)}`;
    throw new RegistryError('BAD_RESPONSE', message);
  }
  if (realm.protocol === 'http:' && !trust.allowPlain) {
    const message = `The registry names a token service that is not encrypted: ${displayUrl(realm)}`;
    throw new RegistryError('INSECURE_TOKEN_REALM', message);
  }
  const request = tokenRequest(realm, service, credentials);
  const response = await http.request({ ...request, strict: trust.verify, signal });
  if (response.status < 200 || response.status > 299) throw await tokenError(response, credentials);
  return parseToken(await response.document(MAX_TOKEN_BYTES), realm);
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

/** Read as programs in Go do: of two equal keys the last one counts, and nothing else in the document matters. */
function parseToken(body: Buffer, realm: URL): BearerToken {
  const where = displayUrl(realm);
  let document: unknown;
  try {
    document = JSON.parse(body.toString('utf8').replace(/^\ufeff/, ''));
  } catch (cause) {
    throw new RegistryError('BAD_RESPONSE', `The token service ${where} does not answer with a token`, { cause });
  }
  const value = textField(document, 'token') ?? textField(document, 'access_token');
  // It becomes a header: nothing that could end one.
  if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) {
    throw new RegistryError('BAD_RESPONSE', `The token service ${where} answers without a token`);
  }
  const lifetime = Number(field(document, 'expires_in'));
  const seconds = lifetime > 0 ? Math.min(lifetime, MAX_LIFETIME_S) : DEFAULT_LIFETIME_S;
  return { value, refreshAt: Date.now() + seconds * 1000 * 0.8 };
}

/** Undefined where there is none, or nothing in it. */
function textField(document: unknown, name: string): string | undefined {
  const value = field(document, name);
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

/** In any case of letters, as Go compares them. */
function field(document: unknown, name: string): unknown {
  const entries = typeof document === 'object' && document !== null ? Object.entries(document) : [];
  return entries.find(([key]) => key === name)?.[1] ?? entries.find(([key]) => key.toLowerCase() === name)?.[1];
}
