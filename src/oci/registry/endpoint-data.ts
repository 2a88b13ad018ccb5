import { loadTls, type TlsMaterial } from '../containers-config/certs-d.js';
import { type Credentials, findCredentials, type OnMissingHelper } from '../containers-config/credentials.js';
import type { RegistryConfigOptions } from '../containers-config/registry-config.js';
import { type ProxySettings, proxiesFromEnvironment } from '../http/proxy.js';
import { DEFAULT_RETRY, type RetryPolicy } from '../http/retry.js';
import { DEFAULT_TIMEOUTS, type HttpTimeouts } from '../http/timeouts.js';
import type { RegistryEndpoint } from './endpoint.js';

/** How to talk to registries. */
export interface TransportSettings {
  readonly timeouts: HttpTimeouts;
  readonly retry: RetryPolicy;
  readonly proxies: ProxySettings;
}

/** One place where a repository's blobs are, with everything that is needed to get at them. It stays in its thread. */
export interface EndpointData {
  /** `host[:port]` as the user and the configuration name it: `docker.io`, too. */
  readonly host: string;
  /** Undefined: the registry as such. */
  readonly repository: string | undefined;
  /** TLS certificates need not be valid, and there need be no TLS. */
  readonly insecure: boolean;
  /** The same of its token service, if that is at another host. */
  readonly insecureElsewhere?: boolean;
  readonly tls?: TlsMaterial;
  readonly credentials?: Credentials;
  /** What tokens are asked for. Default: to pull from the repository. */
  readonly scopes?: readonly string[];
}

/** The parts of {@link TransportSettings} that a caller may give; the others are as usual. */
export interface TransportOptions {
  readonly config: RegistryConfigOptions;
  readonly timeouts?: Partial<HttpTimeouts> | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
}

export function transportSettings({ config, timeouts, retry }: TransportOptions): TransportSettings {
  return {
    timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts },
    retry: { ...DEFAULT_RETRY, ...retry },
    proxies: proxiesFromEnvironment(config.environment),
  };
}

/**
 * Finds credentials and certificates for a place.
 *
 * @param onMissing told of a credential helper that is not installed, which matters only if the registry wants a login.
 */
export async function endpointData(
  endpoint: RegistryEndpoint,
  config: RegistryConfigOptions,
  onMissing: OnMissingHelper,
): Promise<EndpointData> {
  const { host, repository, insecure } = endpoint;
  const credentials = await findCredentials(host, repository, config, onMissing);
  const tls = loadTls(host, config);
  return {
    host,
    repository,
    insecure,
    insecureElsewhere: config.tlsVerify === false,
    ...(tls !== undefined && { tls }),
    ...(credentials !== undefined && { credentials }),
  };
}
