import { ComposefsError } from '../../errors.js';
import {
  loadRegistriesConf,
  type MirrorEntry,
  type RegistriesConf,
  RegistriesConfError,
  type RegistryEntry,
} from '../containers-config/registries-conf.js';
import type { RegistryConfigOptions } from '../containers-config/registry-config.js';
import {
  formatRegistryReference,
  hasHost,
  parseRegistryReference,
  type RegistryReference,
} from '../model/registry-reference.js';

export type { GivenCredentials, RegistryConfigOptions } from '../containers-config/registry-config.js';

/** One place to get an image from. Tag and digest are those of the reference. */
export interface RegistryEndpoint {
  /** `host[:port]` */
  readonly host: string;
  readonly repository: string;
  /** TLS certificates need not be valid, and there need be no TLS. */
  readonly insecure: boolean;
  readonly isMirror: boolean;
}

/**
 * The places that registries.conf has for an image, in the order in which they are tried: the mirrors, then the
 * registry itself. Without configuration it is the registry that the reference names.
 *
 * @throws RegistriesConfError; ComposefsError `REGISTRY_BLOCKED`
 */
export function resolveEndpoints(
  reference: RegistryReference,
  options: RegistryConfigOptions = {},
  conf: RegistriesConf = loadRegistriesConf(options),
): RegistryEndpoint[] {
  const name = formatRegistryReference(reference);
  const match = findRegistry(name, conf.registries);
  const override = options.tlsVerify === undefined ? undefined : !options.tlsVerify;
  if (match === undefined) {
    const { host, repository } = reference;
    return [{ host, repository, insecure: override ?? false, isMirror: false }];
  }
  const { entry, end } = match;
  if (entry.blocked) {
    throw new ComposefsError('REGISTRY_BLOCKED', `${name} may not be pulled: '${entry.prefix}' is blocked`, {
      hint: `${entry.origin} blocks it.`,
    });
  }
  const endpoint = (location: string | undefined, insecure: boolean, isMirror: boolean): RegistryEndpoint => {
    const rewritten = location === undefined ? reference : rewrite(reference, location + name.slice(end), entry);
    return { host: rewritten.host, repository: rewritten.repository, insecure: override ?? insecure, isMirror };
  };
  return [
    ...entry.mirrors
      .filter((mirror) => isUsed(mirror, reference))
      .map((mirror) => endpoint(mirror.location, mirror.insecure, true)),
    endpoint(entry.location, entry.insecure, false),
  ];
}

/** The entry with the longest prefix that matches, and where the match ends in `name`. */
export function findRegistry(
  name: string,
  registries: readonly RegistryEntry[],
): { entry: RegistryEntry; end: number } | undefined {
  let best: { entry: RegistryEntry; end: number } | undefined;
  for (const entry of registries) {
    const end = matchPrefix(name, entry.prefix);
    if (end !== undefined && entry.prefix.length > (best?.entry.prefix.length ?? 0)) best = { entry, end };
  }
  return best;
}

/**
 * Where the match of a prefix ends. As in podman a host matches whatever its port (`example.com` also
 * `example.com:5000/…`), and `*.example.com` any number of subdomains.
 */
function matchPrefix(name: string, prefix: string): number | undefined {
  let end = prefix.length;
  if (prefix.startsWith('*.')) {
    const slash = name.indexOf('/');
    const host = (slash < 0 ? name : name.slice(0, slash)).replace(/:[0-9]+$/, '');
    if (!host.endsWith(prefix.slice(1)) || host.length < prefix.length) return undefined;
    end = host.length;
  } else if (!name.startsWith(prefix)) {
    return undefined;
  }
  return end === name.length || ':/@'.includes(name[end] ?? '') ? end : undefined;
}

function isUsed({ use }: MirrorEntry, { digest }: RegistryReference): boolean {
  return use === 'all' || (use === 'digest-only') === (digest !== undefined);
}

function rewrite(reference: RegistryReference, text: string, entry: RegistryEntry): RegistryReference {
  const fail = (what: string, cause?: unknown): never => {
    throw new RegistriesConfError(entry.origin, `'${entry.prefix}' leads to '${text}', ${what}`, cause);
  };
  if (!hasHost(text)) return fail('which does not begin with a host');
  let rewritten: RegistryReference;
  try {
    rewritten = parseRegistryReference(text);
  } catch (cause) {
    return fail('which is no image', cause);
  }
  if (rewritten.tag !== reference.tag || rewritten.digest !== reference.digest) return fail('which is another tag');
  return rewritten;
}
