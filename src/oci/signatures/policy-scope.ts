import { realpathSync } from 'node:fs';
import { dirname, isAbsolute, normalize, resolve } from 'node:path';
import { formatRegistryReference, type RegistryReference, repositoryName } from '../model/registry-reference.js';

/** What a policy knows an image by. */
export interface PolicyIdentity {
  /** As policies name it: `docker`, `oci`, `dir`, … */
  readonly transport: string;
  /** From the most special to the most general; the default of the transport is not among them. */
  readonly scopes: readonly string[];
  /** Whether {@link scopes} are all that there can be for this image. If not, only defaults can be trusted. */
  readonly isComplete: boolean;
  /** The name that signatures are for, with a tag or a digest but not both. */
  readonly reference?: RegistryReference;
  /** For messages. */
  readonly display: string;
}

/** Transports whose scopes are paths. */
const PATH_TRANSPORTS: ReadonlySet<string> = new Set(['dir', 'oci', 'oci-archive']);
/** Those that have no scopes. */
const SCOPELESS_TRANSPORTS: ReadonlySet<string> = new Set(['docker-archive', 'tarball']);

/**
 * An image in a registry. Its scopes are: its name with the tag or digest, the repository, its namespaces, the host, and
 * `*.` with each parent domain.
 */
export function registryIdentity(
  reference: RegistryReference,
  transport: 'docker' | 'docker-daemon' = 'docker',
): PolicyIdentity {
  const { tag, digest, host, repository } = reference;
  // Where there is a digest nothing is asked by the tag, so that what holds for the tag does not hold for this image.
  const named: RegistryReference = {
    host,
    repository,
    ...(digest !== undefined ? { digest } : { tag: tag ?? 'latest' }),
  };
  const parts = repositoryName(named).split('/');
  const namespaces = parts.map((_, i) => parts.slice(0, parts.length - i).join('/'));
  const labels = host.replace(/:[0-9]+$/, '').split('.');
  const wildcards = labels.slice(1).map((_, i) => `*.${labels.slice(i + 1).join('.')}`);
  const display = formatRegistryReference(named);
  return { transport, scopes: [display, ...namespaces, ...wildcards], isComplete: true, reference: named, display };
}

/** An image in a file or directory: the scopes are its real path and the directories above it, but not `/`. */
export function pathIdentity(transport: string, path: string): PolicyIdentity {
  const display = `${transport}:${path}`;
  if (!PATH_TRANSPORTS.has(transport)) return otherIdentity(transport, display);
  const scopes: string[] = [];
  for (let current = realPath(path); current !== '/'; current = dirname(current)) scopes.push(current);
  return { transport, scopes, isComplete: true, display };
}

/** An image of another transport. */
export function otherIdentity(transport: string, display: string): PolicyIdentity {
  return { transport, scopes: [], isComplete: SCOPELESS_TRANSPORTS.has(transport), display };
}

/** Why a policy cannot have this scope; undefined if it can. */
export function scopeFault(transport: string, scope: string): string | undefined {
  if (scope === '' || !PATH_TRANSPORTS.has(transport)) return undefined;
  if (!isAbsolute(scope)) return 'it must be an absolute path';
  if (scope === '/') return "use '' for the default of the transport";
  return normalize(scope) === scope && !scope.endsWith('/') ? undefined : 'the path is not in its simplest form';
}

/** Without symbolic links; of what does not exist, as far as it does. */
function realPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    // Opening the image tells that it does not exist.
    return absolute;
  }
}
