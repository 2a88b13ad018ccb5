import type { TlsMaterial } from '../containers-config/certs-d.js';
import type { Credentials } from '../containers-config/credentials.js';
import type { ProxySettings } from '../http/proxy.js';
import type { RetryPolicy } from '../http/retry.js';
import type { HttpTimeouts } from '../http/timeouts.js';

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
}
