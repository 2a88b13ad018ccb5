import { HttpClient } from '../http/http.js';
import type { RegistryLocation } from './registry-location.js';

/** The rest of a longer list is left out. */
const MAX_URLS = 8;

/**
 * The URLs of a blob's descriptor (OCI image specification, "Content Descriptors") that are worth asking. The author of
 * the manifest chose them: only `https:`, unless the registry is insecure anyway, and no credentials.
 */
export function foreignUrls(location: RegistryLocation): URL[] {
  const protocols = isInsecure(location) ? ['https:', 'http:'] : ['https:'];
  const urls = (location.urls ?? []).filter((text) => URL.canParse(text)).map((text) => new URL(text));
  for (const url of urls) {
    url.username = '';
    url.password = '';
    url.hash = '';
  }
  return urls.filter(({ protocol }) => protocols.includes(protocol)).slice(0, MAX_URLS);
}

/** A client that shows nothing of what is meant for the registry. */
export function foreignClient(location: RegistryLocation): HttpClient {
  const { proxies, timeouts } = location.settings;
  return new HttpClient({ verify: !isInsecure(location), proxies, timeouts });
}

function isInsecure({ endpoints }: RegistryLocation): boolean {
  return endpoints.length > 0 && endpoints.every(({ insecure }) => insecure);
}
