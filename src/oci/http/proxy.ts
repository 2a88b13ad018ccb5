import { BlockList, isIP } from 'node:net';
import { RegistryError } from '../model/registry-error.js';

/** Proxies as the environment names them. Plain data. */
export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  /** Comma-separated hosts, domains, addresses and networks that are reached without a proxy; `*`: all. */
  readonly none?: string;
}

/** Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, or their lower-case names, as programs written in Go do. */
export function proxiesFromEnvironment(environment: NodeJS.ProcessEnv = process.env): ProxySettings {
  const read = (name: string): string | undefined => environment[name] || environment[name.toLowerCase()] || undefined;
  // In a CGI program HTTP_PROXY is the header `Proxy` of a request.
  const http = environment['REQUEST_METHOD'] === undefined ? read('HTTP_PROXY') : undefined;
  const https = read('HTTPS_PROXY');
  const none = read('NO_PROXY');
  return { ...(http && { http }), ...(https && { https }), ...(none && { none }) };
}

/**
 * The proxy to use for `url`. This machine itself is always reached without one.
 *
 * @throws RegistryError `INVALID_PROXY`
 */
export function proxyFor(url: URL, settings: ProxySettings): URL | undefined {
  const text = url.protocol === 'https:' ? settings.https : settings.http;
  if (text === undefined || isExempt(url, settings.none ?? '')) return undefined;
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  let proxy: URL;
  try {
    proxy = new URL(text.includes('://') ? text : `http://${text}`);
  } catch {
    // The text may hold a password.
    throw new RegistryError('INVALID_PROXY', `The value of ${name} is not a URL`);
  }
  if (proxy.protocol === 'http:' || proxy.protocol === 'https:') return proxy;
  throw new RegistryError(
    'INVALID_PROXY',
    `${name} names a proxy of the kind ${proxy.protocol}//, which is not known`,
    {
      hint: 'Use a proxy that speaks HTTP: http://HOST:PORT or https://HOST:PORT.',
    },
  );
}

function isExempt(url: URL, exceptions: string): boolean {
  const host = url.hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  if (host === 'localhost' || isIn(host, '127.0.0.0/8') || host === '::1') return true;
  return exceptions.split(',').some((entry) => matches(entry.trim().toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  if (entry.includes('/')) return isIn(host, entry);
  const [, name = entry, wantedPort] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  if (wantedPort !== undefined && wantedPort !== port) return false;
  const bare = name.replace(/^\[|\]$/g, '').replace(/^\*\./, '.');
  if (isIP(host) !== 0) return bare === host;
  return bare.startsWith('.') ? host.endsWith(bare) : host === bare || host.endsWith(`.${bare}`);
}

/** Whether `host` is an address in `network`, such as `10.0.0.0/8`. */
function isIn(host: string, network: string): boolean {
  const [address = '', prefix = ''] = network.split('/');
  const version = isIP(address);
  if (isIP(host) === 0 || version !== isIP(host) || !/^\d{1,3}$/.test(prefix)) return false;
  const type = version === 6 ? 'ipv6' : 'ipv4';
  if (Number(prefix) > (version === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), type);
  return list.check(host, type);
}
