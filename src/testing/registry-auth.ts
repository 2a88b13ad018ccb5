import { randomBytes } from 'node:crypto';
import {
  emptyReply,
  errorReply,
  jsonReply,
  type RegistryReply,
  type RegistryRequest,
  ReplyError,
} from './registry-message.js';

/** `pull`, `push`, `delete`. */
export type RegistryAction = string;

/**
 * Who may do what.
 *
 * - `none`: everyone everything.
 * - `refuse-credentials`: everyone, but a request with an `Authorization` header gets 400, as from the storage hosts
 *   that registries redirect to.
 * - `basic`: user and password with every request.
 * - `bearer`: tokens of the registry's own token endpoint, `/token`, by GET and, as OAuth2 has it, by POST.
 */
export type RegistryAuth =
  | { readonly type: 'none' }
  | { readonly type: 'refuse-credentials' }
  | ({ readonly type: 'basic' } & UserOptions)
  | ({ readonly type: 'bearer' } & UserOptions & TokenOptions);

/** Who may do what at a registry. */
export interface UserOptions {
  /** Names to passwords. */
  readonly users: Readonly<Record<string, string>>;
  /** Whether a user may do it; `undefined` is the anonymous one. Default: users everything, anonymous see below. */
  readonly authorize?: (user: string | undefined, repository: string, action: RegistryAction) => boolean;
  /** Strangers get this and no challenge, except at `/v2/`. Default: 401 with a challenge everywhere. */
  readonly strangersGet?: 401 | 403 | 404;
}

/** How the token service of a registry behaves. */
export interface TokenOptions {
  /** Tokens to pull are given without credentials. Default false. */
  readonly anonymousPull?: boolean;
  /** Seconds that a token is good for, and says so. Default 300. */
  readonly expiresIn?: number;
  /** What the challenge says as `service`. Default `test-registry`. */
  readonly service?: string;
  /** The token endpoint takes POST, and gives refresh tokens to those who ask for offline access. Default true. */
  readonly oauth2?: boolean;
  /** The field of the reply that holds the token. Default: both. */
  readonly tokenField?: 'token' | 'access_token';
}

export const TOKEN_PATH = '/token';
const MAX_FORM_BYTES = 64 * 1024;

interface Grant {
  readonly user: string | undefined;
  /** `repository:name:action`, and `registry:catalog:*`. */
  readonly allowed: ReadonlySet<string>;
  readonly expiresAt: number;
}

/** What a request needs: a repository and an action on it, or just to be let in. */
export type Need = { readonly repository: string; readonly actions: readonly RegistryAction[] } | undefined;

/** The credentials, tokens and rights of one registry. */
export class Authority {
  readonly #auth: RegistryAuth;
  readonly #tokens = new Map<string, Grant>();
  readonly #refreshTokens = new Map<string, string>();

  constructor(auth: RegistryAuth) {
    this.#auth = auth;
  }

  get hasTokenEndpoint(): boolean {
    return this.#auth.type === 'bearer';
  }

  /** From now on every access token given so far is invalid. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  /** From now on every refresh token given so far is invalid. */
  revokeRefreshTokens(): void {
    this.#refreshTokens.clear();
  }

  /** A refresh token (an identity token, in the words of Docker) for a user. */
  issueRefreshToken(user: string): string {
    const token = randomBytes(24).toString('base64url');
    this.#refreshTokens.set(token, user);
    return token;
  }

  /** @throws ReplyError with the challenge, unless the request may do what it needs. */
  check(request: RegistryRequest, need: Need, origin: string): void {
    const auth = this.#auth;
    const header = request.headers.authorization;
    if (auth.type === 'none') return;
    if (auth.type === 'refuse-credentials') {
      if (header === undefined) return;
      throw new ReplyError(errorReply(400, 'InvalidArgument', 'only one authorization mechanism is allowed'));
    }
    if (auth.type === 'basic') this.#checkBasic(auth, header, need);
    else this.#checkBearer(auth, header, need, origin);
  }

  #checkBasic(auth: UserOptions, header: string | undefined, need: Need): void {
    const user = basicUser(auth, header);
    if (user === undefined) throw unauthorized('Basic realm="test registry"', need && auth.strangersGet);
    const allowed = need?.actions.every((action) => isAllowed(auth, user, need.repository, action)) ?? true;
    if (!allowed) throw new ReplyError(errorReply(403, 'DENIED', 'requested access to the resource is denied'));
  }

  #checkBearer(auth: UserOptions & TokenOptions, header: string | undefined, need: Need, origin: string): void {
    const grant = this.#tokens.get(/^Bearer (\S+)$/i.exec(header ?? '')?.[1] ?? '');
    const scope = need === undefined ? '' : `,scope="repository:${need.repository}:${need.actions.join(',')}"`;
    const challenge = `Bearer realm="${origin}${TOKEN_PATH}",service="${service(auth)}"${scope}`;
    if (grant === undefined || grant.expiresAt <= Date.now()) {
      const hidden = need && header === undefined ? auth.strangersGet : undefined;
      throw unauthorized(header === undefined ? challenge : `${challenge},error="invalid_token"`, hidden);
    }
    const allowed = need?.actions.every((action) => grant.allowed.has(`${need.repository}:${action}`)) ?? true;
    if (!allowed) throw unauthorized(`${challenge},error="insufficient_scope"`);
  }

  /** Replies to a request for a token. */
  async replyWithToken(request: RegistryRequest): Promise<RegistryReply> {
    const auth = this.#auth;
    if (auth.type !== 'bearer') return emptyReply(404);
    if (request.method === 'GET') {
      const { authorization } = request.headers;
      const user = basicUser(auth, authorization);
      if (user === undefined && authorization !== undefined) return badCredentials();
      return this.#grant(auth, user, request.query, request.query.get('offline_token') === 'true');
    }
    if (request.method !== 'POST' || auth.oauth2 === false) return emptyReply(405, { allow: 'GET' });
    const form = new URLSearchParams((await request.readBody(MAX_FORM_BYTES)).toString('utf8'));
    const user = this.#formUser(auth, form);
    if (user === undefined) return jsonReply(400, { error: 'invalid_grant' });
    return this.#grant(auth, user, form, form.get('access_type') === 'offline', form.get('refresh_token') ?? undefined);
  }

  #formUser(auth: UserOptions, form: URLSearchParams): string | undefined {
    if (form.get('grant_type') === 'refresh_token') return this.#refreshTokens.get(form.get('refresh_token') ?? '');
    if (form.get('grant_type') !== 'password') return undefined;
    const user = form.get('username') ?? '';
    return isPassword(auth, user, form.get('password')) ? user : undefined;
  }

  #grant(
    auth: UserOptions & TokenOptions,
    user: string | undefined,
    parameters: URLSearchParams,
    offline: boolean,
    refreshToken?: string,
  ): RegistryReply {
    if (user === undefined && auth.anonymousPull !== true && auth.authorize === undefined) return badCredentials();
    const allowed = new Set<string>();
    for (const scope of parameters.getAll('scope').flatMap((text) => text.split(' '))) {
      const [, repository, actions] = /^repository:(.+):([^:]*)$/.exec(scope) ?? [];
      if (repository === undefined || actions === undefined) continue;
      for (const action of actions.split(',')) {
        if (isAllowed(auth, user, repository, action)) allowed.add(`${repository}:${action}`);
      }
    }
    const expiresIn = auth.expiresIn ?? 300;
    const token = randomBytes(24).toString('base64url');
    this.#tokens.set(token, { user, allowed, expiresAt: Date.now() + expiresIn * 1000 });
    const refresh = refreshToken ?? (offline && user !== undefined ? this.issueRefreshToken(user) : undefined);
    return jsonReply(200, {
      ...(auth.tokenField !== 'access_token' && { token }),
      ...(auth.tokenField !== 'token' && { access_token: token }),
      expires_in: expiresIn,
      issued_at: new Date().toISOString(),
      ...(refresh !== undefined && auth.oauth2 !== false && { refresh_token: refresh }),
    });
  }
}

function service(auth: TokenOptions): string {
  return auth.service ?? 'test-registry';
}

function isAllowed(
  auth: UserOptions & TokenOptions,
  user: string | undefined,
  repository: string,
  action: RegistryAction,
): boolean {
  if (auth.authorize !== undefined) return auth.authorize(user, repository, action);
  return user !== undefined || (auth.anonymousPull === true && action === 'pull');
}

/** The user of a `Basic` header with the right password. */
function basicUser(auth: UserOptions, header: string | undefined): string | undefined {
  const encoded = /^Basic (\S+)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const user = text.slice(0, colon);
  return colon > 0 && isPassword(auth, user, text.slice(colon + 1)) ? user : undefined;
}

function isPassword(auth: UserOptions, user: string, password: string | null): boolean {
  return Object.hasOwn(auth.users, user) && auth.users[user] === password;
}

/** @param hidden - the status to answer with in place of the challenge. */
function unauthorized(challenge: string, hidden?: 401 | 403 | 404): ReplyError {
  if (hidden !== undefined) return new ReplyError(errorReply(hidden, 'NAME_UNKNOWN', 'there is no such repository'));
  return new ReplyError(errorReply(401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': challenge }));
}

function badCredentials(): RegistryReply {
  return errorReply(401, 'UNAUTHORIZED', 'incorrect username or password', {
    'www-authenticate': 'Basic realm="test registry tokens"',
  });
}
