import type { TlsMaterial } from '../containers-config/certs-d.js';
import type { Credentials } from '../containers-config/credentials.js';
import type { ProxySettings } from '../http/proxy.js';
import type { RetryPolicy } from '../http/retry.js';
import type { HttpTimeouts } from '../http/timeouts.js';
import type { OciDigest } from '../model/digest.js';
import type { AuthState } from './authorizer.js';
import type { PartialStoreOptions } from './partial-store.js';

/** How to talk to registries. Plain data. */
export interface TransportSettings {
  readonly timeouts: HttpTimeouts;
  readonly retry: RetryPolicy;
  readonly proxies: ProxySettings;
}

/** One place where a repository's blobs are, with everything that is needed to get at them. Plain data. */
export interface EndpointData {
  /** `host[:port]` as the user and the configuration name it: `docker.io`, too. */
  readonly host: string;
  /** Undefined: the registry as such. */
  readonly repository: string | undefined;
  /** TLS certificates need not be valid, and there need be no TLS. */
  readonly insecure: boolean;
  /** The same of its token service, if that is at another host. */
  readonly insecureElsewhere?: boolean;
  /** Known for an insecure endpoint when it has answered once. */
  readonly scheme?: 'https' | 'http';
  readonly tls?: TlsMaterial;
  readonly credentials?: Credentials;
  /** What is known of its way of authorization, with a token that may still be good. */
  readonly auth?: AuthState;
}

/** A blob in a registry. Plain data: it carries secrets to a worker thread and goes nowhere else. */
export interface RegistryLocation {
  readonly kind: 'registry';
  readonly digest: OciDigest;
  readonly size: number;
  /** In the order in which they are tried. */
  readonly endpoints: readonly EndpointData[];
  /** Where else the blob is, by its descriptor, for foreign layers that registries may not give away. */
  readonly urls?: readonly string[];
  readonly settings: TransportSettings;
  /** Where to keep what was received until the blob is complete and used. */
  readonly partial?: PartialStoreOptions;
}
