import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readAuthFile } from '../../../src/oci/containers-config/auth-file.js';
import { loadTls } from '../../../src/oci/containers-config/certs-d.js';
import { loadRegistriesConf } from '../../../src/oci/containers-config/registries-conf.js';
import { readSettingsFile } from '../../../src/oci/containers-config/settings-file.js';
import { loadPolicy } from '../../../src/oci/signatures/load-policy.js';
import { withTempDir } from '../../support/paths.js';

/** What reads a file that a user names: the reader, its code, and that of the cause. */
const READERS: readonly (readonly [name: string, read: (path: string) => unknown, code: string])[] = [
  ['file of credentials', readAuthFile, 'INVALID_AUTH_FILE'],
  ['registries.conf', (path) => loadRegistriesConf({ registriesConf: path }), 'INVALID_REGISTRIES_CONF'],
  ['signature policy', loadPolicy, 'POLICY_UNREADABLE'],
];

describe('files of settings', () => {
  for (const [name, read, code] of READERS) {
    it(`${name}: a device without end is refused`, () => {
      const isTooLarge = (error: unknown): boolean =>
        error instanceof Error &&
        'code' in error &&
        error.code === code &&
        error.cause instanceof Error &&
        error.cause.message === '/dev/zero has more than 16 MiB';
      assert.throws(() => read('/dev/zero'), isTooLarge);
    });
  }

  it('is what a pipe brings, in pieces and with pauses', async () => {
    await withTempDir(async (directory) => {
      const pipe = join(directory, 'pipe');
      execFileSync('mkfifo', [pipe]);
      const script = `sleep 0.2; exec >"$0"; printf '{"auths":'; sleep 0.2; printf '{"a.b":{"auth":"dTpw"}}}'`;
      const writer = spawn('sh', ['-c', script, pipe], { stdio: 'ignore' });
      const exit = once(writer, 'exit');
      assert.deepEqual(readAuthFile(pipe)?.auths, new Map([['a.b', { auth: 'dTpw' }]]));
      assert.deepEqual(await exit, [0, null]);
    });
  });

  it('does not wait for ever for a pipe', () => {
    withTempDir((directory) => {
      const pipe = join(directory, 'ca.crt');
      execFileSync('mkfifo', [pipe]);
      assert.throws(() => readSettingsFile(pipe, 50), {
        code: 'NOTHING_TO_READ',
        message: `Nothing came from ${pipe} for 0.05 seconds`,
      });
    });
  });

  it('has at most 16 MiB, whatever it is', () => {
    withTempDir((directory) => {
      const path = join(directory, 'ca.crt');
      writeFileSync(path, 'x');
      truncateSync(path, 16 << 20);
      assert.equal(readSettingsFile(path).length, 16 << 20);
      truncateSync(path, (16 << 20) + 1);
      assert.throws(() => loadTls('a.b', { certDir: directory }), {
        code: 'TLS_MATERIAL',
        message: `Cannot read ${path}`,
      });
    });
  });

  it('is no directory', () => {
    assert.throws(() => loadRegistriesConf({ registriesConf: '/' }), {
      code: 'INVALID_REGISTRIES_CONF',
      message: /^\/: cannot be read/,
    });
  });
});
