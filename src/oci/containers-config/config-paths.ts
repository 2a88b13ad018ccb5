import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { RegistryConfigOptions } from './registry-config.js';

/** The value of an environment variable; undefined where it is empty too. */
export function environmentValue(options: RegistryConfigOptions, name: string): string | undefined {
  return (options.environment ?? process.env)[name] || undefined;
}

export function homeDirectory(options: RegistryConfigOptions): string {
  return environmentValue(options, 'HOME') ?? (options.environment === undefined ? homedir() : userInfo().homedir);
}

/** `$HOME/.config/containers/…`: registries, policy and certificates do not follow `XDG_CONFIG_HOME` (as in podman). */
export function userConfigPath(options: RegistryConfigOptions, ...names: string[]): string {
  return join(homeDirectory(options), '.config', 'containers', ...names);
}

/** `/etc/…` */
export function systemConfigPath(options: RegistryConfigOptions, ...names: string[]): string {
  return join(options.systemConfigDir ?? '/etc', ...names);
}
