import { statSync } from 'node:fs';
import { join } from 'node:path';
import { AuthFileError } from './auth-file.js';
import { environmentValue, homeDirectory } from './config-paths.js';
import type { RegistryConfigOptions } from './registry-config.js';

/** The file named by the options or `REGISTRY_AUTH_FILE`, which then is the only one. */
function namedAuthFile(options: RegistryConfigOptions): string | undefined {
  return options.authFile ?? environmentValue(options, 'REGISTRY_AUTH_FILE');
}

/** The file that a login goes to: the named one, else podman's of this session. */
export function primaryAuthFile(options: RegistryConfigOptions): string {
  const named = namedAuthFile(options);
  if (named !== undefined) return named;
  const runtime = environmentValue(options, 'XDG_RUNTIME_DIR');
  if (runtime !== undefined) return join(runtime, 'containers', 'auth.json');
  return join('/run/containers', String(process.getuid?.() ?? 0), 'auth.json');
}

/** Where credentials are looked for, in order. */
export function authFilePaths(options: RegistryConfigOptions): string[] {
  const named = namedAuthFile(options);
  if (named !== undefined) return [named];
  const home = homeDirectory(options);
  const config = environmentValue(options, 'XDG_CONFIG_HOME') ?? join(home, '.config');
  const docker = environmentValue(options, 'DOCKER_CONFIG') ?? join(home, '.docker');
  return [
    primaryAuthFile(options),
    join(config, 'containers', 'auth.json'),
    join(docker, 'config.json'),
    join(home, '.dockercfg'),
  ];
}

/** @throws AuthFileError if a file was named that is not there. */
export function requireNamedAuthFile(options: RegistryConfigOptions): void {
  const named = namedAuthFile(options);
  if (named === undefined) return;
  try {
    statSync(named);
  } catch (cause) {
    throw new AuthFileError(named, 'the file with the credentials cannot be read', {
      cause,
      hint: 'Check --authfile and REGISTRY_AUTH_FILE; `cfsctl oci login` makes the file that they name.',
    });
  }
}
