import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { RegistryConfigOptions } from '../../../src/oci/containers-config/registry-config.js';
import { tempDir } from '../../support/paths.js';

/** A home directory and a system's configuration of their own, with these files (`home/…`, `etc/…`, `run/…`, …). */
export function configIn(
  t: TestContext,
  files: Readonly<Record<string, string>> = {},
): RegistryConfigOptions & { root: string } {
  const root = tempDir(t);
  for (const folder of ['home', 'etc', 'run', 'bin']) mkdirSync(join(root, folder));
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: name.startsWith('bin/') ? 0o755 : 0o600 });
  }
  const environment = {
    HOME: join(root, 'home'),
    XDG_RUNTIME_DIR: join(root, 'run'),
    PATH: `${join(root, 'bin')}:${process.env['PATH']}`,
  };
  return { root, environment, systemConfigDir: join(root, 'etc') };
}

/** An entry of `auths`. */
export function authEntry(user: string, password: string): { auth: string } {
  return { auth: Buffer.from(`${user}:${password}`).toString('base64') };
}
