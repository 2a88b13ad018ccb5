import type { Credentials } from '../containers-config/credentials.js';
import type { HttpClient } from '../http/http.js';
import type { HttpHeaders } from '../http/response-head.js';
import { RegistryError } from '../model/registry-error.js';
import { type Challenge, parseChallenges } from './challenge.js';
import { type BearerToken, basicAuthorization, fetchToken, type TokenService } from './token.js';

/** What a registry wants to see. */
type AuthState =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly service: TokenService; readonly token?: BearerToken };

export interface AuthorizerOptions {
  readonly http: HttpClient;
  /** For messages. */
  readonly host: string;
  /** Undefined: nothing but the registry as such is asked for, as by a login. */
  readonly repository: string | undefined;
  /** What tokens are asked for, such as `repository:library/debian:pull`; undefined: to pull from the repository. */
  readonly scopes?: readonly string[] | undefined;
  readonly credentials: Credentials | undefined;
  /** The registry's own host need not have TLS, nor a valid certificate. */
  readonly insecure: boolean;
  /** Nor need other hosts, as those of token services. */
  readonly insecureElsewhere: boolean;
}

/**
 * The `Authorization` of the requests to one repository at one host. It begins without, learns from the challenge of a 401,
 * and renews tokens before they expire.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  #state: AuthState = { kind: 'none' };
  #renewal: Promise<BearerToken> | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** @param isPlain - whether the registry itself is reached without TLS. */
  async header(isPlain: boolean, signal?: AbortSignal): Promise<string | undefined> {
    const state = this.#state;
    if (state.kind === 'none') return undefined;
    if (state.kind === 'basic') return basicAuthorization(this.#options.credentials);
    if (state.token !== undefined && Date.now() < state.token.refreshAt) return `Bearer ${state.token.value}`;
    this.#renewal ??= this.#renew(state.service, isPlain, signal).finally(() => {
      this.#renewal = undefined;
    });
    return `Bearer ${(await this.#renewal).value}`;
  }

  /**
   * Takes in a 401 to a request that had the header `used`.
   *
   * @returns true if another try with a new {@link header} makes sense.
   */
  learn(headers: HttpHeaders, used: string | undefined): boolean {
    const next = this.#choose(parseChallenges(headers['www-authenticate'] ?? ''));
    if (next === undefined) return false;
    // The password was refused, and there is no other.
    if (next.kind === 'basic' && used !== undefined && used === basicAuthorization(this.#options.credentials))
      return false;
    this.#state = next;
    return true;
  }

  /** Why access was refused for good, and what to do about it. `reason` is what the registry says. */
  refusal(status: number, reason = ''): RegistryError {
    const { credentials, host, repository } = this.#options;
    if (credentials !== undefined && this.#state.kind === 'none') {
      const message =
        `${host} refuses access${reason === '' ? '' : ` (${reason})`}, but does not ask for a login in a way that is known: ` +
        `the credentials of ${credentials.origin} were not sent`;
      const hint = 'Whoever runs the registry can help: a refusal has to say how to log in (WWW-Authenticate).';
      return new RegistryError('UNAUTHORIZED', message, { status, hint });
    }
    if (repository === undefined) {
      const who = credentials === undefined ? 'anyone without a login' : credentials.origin;
      return new RegistryError('UNAUTHORIZED', `${host} does not let ${who} in`, {
        status,
        hint: 'Check the user name and the password; some registries want an access token in place of the password.',
      });
    }
    const what = `${host}/${repository}`;
    if (credentials === undefined) {
      return new RegistryError('UNAUTHORIZED', `${host} does not give ${what} to anyone without a login`, {
        status,
        hint: `Check the name; it may not exist. If it is private, log in: cfsctl oci login ${host}`,
      });
    }
    return new RegistryError(
      'UNAUTHORIZED',
      `${host} does not accept the credentials of ${credentials.origin} for ${what}`,
      {
        status,
        hint: `Check the name; if the credentials are wrong or have expired, log in again: cfsctl oci login ${host}`,
      },
    );
  }

  /**
   * What a token is asked for: to pull from this repository, or what was given. Not what the challenge says: with a service
   * that serves several registries one of them could get hold of rights on another's repositories, or of more than to pull.
   */
  get #scope(): string {
    const { repository, scopes } = this.#options;
    if (scopes !== undefined) return scopes.join(' ');
    return repository === undefined ? '' : `repository:${repository}:pull`;
  }

  #choose(challenges: readonly Challenge[]): AuthState | undefined {
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
    if (bearer !== undefined) {
      const service = bearer.parameters.get('service');
      return {
        kind: 'bearer',
        service: {
          realm: bearer.parameters.get('realm') ?? '',
          ...(service !== undefined && { service }),
          scope: this.#scope,
        },
      };
    }
    const canBasic = basicAuthorization(this.#options.credentials) !== undefined;
    return canBasic && challenges.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined;
  }

  /** The hint of the error names a directory for the service's host, in which nobody looks. */
  #untrustedService({ code, message, cause }: RegistryError): RegistryError {
    const hint =
      `It is the token service of ${this.#options.host}, for which the authorities of that registry count: put the ` +
      `CA's certificate into /etc/containers/certs.d/${this.#options.host}/ca.crt or into a directory given by ` +
      '--cert-dir. To do without the check: --tls-verify=false.';
    return new RegistryError(code, message, { cause, hint });
  }

  async #renew(service: TokenService, isPlain: boolean, signal: AbortSignal | undefined): Promise<BearerToken> {
    const { http, host, credentials, insecure, insecureElsewhere } = this.#options;
    const isInsecure = insecureElsewhere || (insecure && hostName(service.realm) === hostName(`https://${host}`));
    // What goes to the registry in clear could name any service.
    const trust = { allowPlain: isInsecure || isPlain, verify: !isInsecure };
    const token = await fetchToken(http, service, credentials, trust, signal).catch((error: unknown) => {
      // Many services refuse to tell strangers even that there is nothing for them.
      const isDenied = error instanceof RegistryError && (error.status === 401 || error.status === 403);
      const isLogin = this.#options.repository === undefined;
      if (isDenied && (isLogin || credentials === undefined)) throw this.refusal(error.status ?? 401);
      throw error instanceof RegistryError && error.code === 'TLS_CERTIFICATE' ? this.#untrustedService(error) : error;
    });
    this.#state = { kind: 'bearer', service, token };
    return token;
  }
}

/** Without the port. */
function hostName(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
