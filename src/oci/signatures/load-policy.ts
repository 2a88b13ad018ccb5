import { ComposefsError, errorCode } from '../../errors.js';
import { systemConfigPath, userConfigPath } from '../containers-config/config-paths.js';
import type { RegistryConfigOptions } from '../containers-config/registry-config.js';
import { readSettingsFile } from '../containers-config/settings-file.js';
import { type Policy, parsePolicy } from './policy.js';

/**
 * Reads the policy: the named file, else the user's `$HOME/.config/containers/policy.json`, else the system's
 * `/etc/containers/policy.json`. Undefined where there is none: then every image is accepted.
 *
 * @throws PolicyFormatError; ComposefsError `POLICY_UNREADABLE`
 */
export function loadPolicy(path: string | undefined, options: RegistryConfigOptions = {}): Policy | undefined {
  const defaults = [userConfigPath(options, 'policy.json'), systemConfigPath(options, 'containers', 'policy.json')];
  for (const candidate of path === undefined ? defaults : [path]) {
    let bytes: Buffer;
    try {
      bytes = readSettingsFile(candidate);
    } catch (cause) {
      if (path === undefined && ['ENOENT', 'ENOTDIR'].includes(errorCode(cause))) continue;
      throw new ComposefsError('POLICY_UNREADABLE', `Cannot read the signature policy ${candidate}`, { cause });
    }
    return parsePolicy(bytes, candidate);
  }
  return undefined;
}
