import { ComposefsError } from '../../errors.js';
import { loadTls } from '../containers-config/certs-d.js';
import { loadRegistriesConf } from '../containers-config/registries-conf.js';
import type { GivenCredentials, RegistryConfigOptions } from '../containers-config/registry-config.js';
import { proxiesFromEnvironment } from '../http/proxy.js';
import { DEFAULT_RETRY, withRetries } from '../http/retry.js';
import { DEFAULT_TIMEOUTS } from '../http/timeouts.js';
import { findRegistry } from './endpoint.js';
import { EndpointClient } from './endpoint-client.js';
import { answerer, statusError } from './status-error.js';

/**
 * Asks a registry (`GET /v2/`, with its token service if it has one) whether credentials are good. A registry that
 * asks nobody for credentials takes any.
 *
 * @throws RegistryError `UNAUTHORIZED` if they are not, and others; ComposefsError `REGISTRY_BLOCKED`
 */
export async function verifyLogin(
  { host, key }: { readonly host: string; readonly key: string },
  { username, password }: GivenCredentials,
  options: RegistryConfigOptions = {},
): Promise<void> {
  const { tlsVerify, environment, signal } = options;
  const entry = findRegistry(key, loadRegistriesConf(options).registries)?.entry;
  if (entry?.blocked === true) {
    throw new ComposefsError('REGISTRY_BLOCKED', `'${entry.prefix}' is blocked`, {
      hint: `${entry.origin} blocks it.`,
    });
  }
  const tls = loadTls(host, options);
  const credentials = { username, password, origin: `the user '${username}'` };
  const insecure = tlsVerify === undefined ? (entry?.insecure ?? false) : !tlsVerify;
  const insecureElsewhere = tlsVerify === false;
  const data = {
    host,
    repository: undefined,
    insecure,
    insecureElsewhere,
    credentials,
    ...(tls !== undefined && { tls }),
  };
  const proxies = proxiesFromEnvironment(environment);
  const client = new EndpointClient(data, { timeouts: DEFAULT_TIMEOUTS, retry: DEFAULT_RETRY, proxies });
  try {
    await withRetries(
      // Somebody is waiting, and may have mistyped the name.
      { ...DEFAULT_RETRY, attempts: 2 },
      async () => {
        const response = await client.get('', {}, signal);
        if (response.status !== 200) throw await statusError(response, answerer(response));
        response.discard();
      },
      signal,
    );
  } finally {
    client.close();
  }
}
