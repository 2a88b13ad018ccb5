import { ComposefsError } from '../../errors.js';
import { DOCKER_HOST, hasHost, parseRegistryReference, type RegistryReference } from '../model/registry-reference.js';
import { loadRegistriesConf, type RegistriesConf } from './registries-conf.js';
import type { RegistryConfigOptions } from './registry-config.js';

/**
 * The images that a name without a transport may mean, in the order in which they are tried. A name with a host is just
 * that image. A short name is an alias of registries.conf; else an image of the registries that are to be searched;
 * else, where none are configured, an image of docker.io.
 *
 * @throws ImageReferenceError; RegistriesConfError; ComposefsError `AMBIGUOUS_SHORT_NAME` if the configuration wants the
 *   user to choose.
 */
export function resolveShortName(
  name: string,
  options: RegistryConfigOptions = {},
  conf?: RegistriesConf,
): RegistryReference[] {
  const literal = parseRegistryReference(name);
  if (hasHost(name)) return [literal];
  const { aliases, searchRegistries, searchOrigin, shortNameMode } = conf ?? loadRegistriesConf(options);
  const { tag, digest } = literal;
  const alias = aliases.get(withoutTag(name));
  if (alias !== undefined) {
    const { host, repository } = parseRegistryReference(alias);
    return [{ host, repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) }];
  }
  const hosts = searchRegistries.length === 0 ? [DOCKER_HOST] : searchRegistries;
  if (hosts.length > 1 && shortNameMode === 'enforcing') {
    throw new ComposefsError('AMBIGUOUS_SHORT_NAME', `${searchOrigin}: '${name}' may be of ${hosts.join(' or ')}`, {
      hint: `Name the registry: ${hosts[0]}/${name}`,
    });
  }
  return hosts.map((host) => ({ ...literal, host, repository: repositoryOn(host, name, literal) }));
}

function repositoryOn(host: string, name: string, literal: RegistryReference): string {
  return host === DOCKER_HOST ? literal.repository : withoutTag(name);
}

function withoutTag(name: string): string {
  return name.replace(/@.*$/s, '').replace(/:.*$/s, '');
}
