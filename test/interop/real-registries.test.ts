import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { renderError } from '../../src/cli/terminal/render-error.js';
import { printLines } from '../../src/cli/terminal/terminal-text.js';
import { Repository } from '../../src/composefs/repository/index.js';
import type { RegistryConfigOptions } from '../../src/oci/containers-config/registry-config.js';
import { pull as pullImage } from '../../src/oci/import/pull.js';
import { sizedImage } from '../oci/registry/registry-support.js';
import { type CommandResult, expectSuccess, runCfsctl } from '../support/cfsctl.js';
import { LayoutBuilder } from '../support/oci-fixtures.js';
import {
  makeCertificates,
  type Server,
  startDockerRegistry,
  startNginxMirror,
  type TestCertificates,
  without,
} from '../support/servers.js';
import { startTokenServer, type TokenServer } from '../support/token-server.js';

/**
 * `cfsctl` and skopeo with the same configuration files, in one home directory, at Debian's docker-registry: without
 * TLS, with TLS by an authority of our own, with passwords, with a token server, and behind nginx as a mirror.
 */

const needed = without('docker-registry', 'skopeo', 'openssl');

interface Pulled {
  /** All digests. */
  readonly ids: object;
  readonly fetched: number;
}

describe('real registries', { skip: needed }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'composefs-oci-test-'));
  const home = join(directory, 'home');
  const configuration = join(home, '.config', 'containers');
  const env = { HOME: home, XDG_RUNTIME_DIR: join(directory, 'run'), REGISTRY_AUTH_FILE: undefined };
  const image = sizedImage([3_000_000, 1000, 200_000]);
  const layout = join(directory, 'layout');
  const servers: Server[] = [];
  let certificates: TestCertificates;
  let fromLayout: object;
  let count = 0;

  before(async () => {
    mkdirSync(configuration, { recursive: true });
    new LayoutBuilder().addImage(image, { tag: 'v1' }).write(layout);
    certificates = await makeCertificates(join(directory, 'certificates'));
    fromLayout = (await pull(`oci:${layout}:v1`)).ids;
  });
  after(async () => {
    for (const server of servers) await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const subdirectory = (): string => join(directory, String(count++));
  const running = <T extends Server>(server: T): T => {
    servers.push(server);
    return server;
  };
  const cfsctl = (args: readonly string[], input = ''): Promise<CommandResult> => runCfsctl(args, { env, input });
  const skopeo = async (...args: readonly string[]): Promise<string> => {
    const options = { env: { ...process.env, ...env } };
    return (await promisify(execFile)('skopeo', ['--insecure-policy', ...args], options)).stdout;
  };

  /** Pulls into a repository of its own. */
  async function pull(reference: string, config: RegistryConfigOptions = {}, attempts = 2): Promise<Pulled> {
    const { repo } = await Repository.init(subdirectory(), { insecure: true });
    try {
      const options = { registry: { ...config, environment: env }, concurrency: 2, retry: { attempts } };
      const { stats: _, transfer, layers: __, via: ___, ...ids } = await pullImage(repo, reference, 'tag', options);
      return { ids, fetched: transfer.fetchedBytes };
    } finally {
      repo.close();
    }
  }

  /** What is said of a pull that fails, with the hint. */
  async function refusal(reference: string, config: RegistryConfigOptions = {}, attempts = 2): Promise<string> {
    try {
      await pull(reference, config, attempts);
    } catch (error) {
      return printLines(renderError(error));
    }
    assert.fail('it does not fail');
  }

  async function fill(host: string, ...options: readonly string[]): Promise<void> {
    await skopeo('copy', '-q', ...options, `oci:${layout}:v1`, `docker://${host}/my/image:v1`);
  }

  /** skopeo gets there too, with nothing but the files of the home directory. */
  async function skopeoDigest(name: string): Promise<unknown> {
    return JSON.parse(await skopeo('inspect', '--no-tags', `docker://${name}`)).Digest;
  }

  const digest = image.manifest.descriptor.digest;
  const size = image.layers.reduce((sum, layer) => sum + layer.bytes.length, 0);

  function writeRegistriesConf(text: string): void {
    writeFileSync(join(configuration, 'registries.conf'), text);
  }

  function trust(host: string): void {
    const path = join(configuration, 'certs.d', host);
    mkdirSync(path, { recursive: true });
    copyFileSync(certificates.ca.cert, join(path, 'ca.crt'));
  }

  test('without TLS, by tag and by digest', async () => {
    const { host } = running(await startDockerRegistry(subdirectory()));
    await fill(host, '--dest-tls-verify=false');
    assert.match(
      await refusal(`docker://${host}/my/image:v1`),
      /does not speak TLS\n\nhint: .*--tls-verify=false, or insecure = true/,
    );
    for (const name of ['image:v1', `image@${digest}`]) {
      assert.deepEqual(await pull(`docker://${host}/my/${name}`, { tlsVerify: false }), {
        ids: fromLayout,
        fetched: size,
      });
    }
    writeRegistriesConf(`[[registry]]\nlocation = "${host}"\ninsecure = true\n`);
    assert.deepEqual((await pull(`docker://${host}/my/image:v1`)).ids, fromLayout);
    assert.equal(await skopeoDigest(`${host}/my/image:v1`), digest);
  });

  test('TLS by an authority of our own: certs.d, --cert-dir', async () => {
    const { host } = running(await startDockerRegistry(subdirectory(), { tls: certificates.server }));
    await fill(host, '--dest-tls-verify=false');
    const reference = `docker://${host}/my/image:v1`;
    const refused = await refusal(reference);
    assert.match(refused, new RegExp(`The certificate of ${host} is not trusted`));
    assert.match(refused, new RegExp(`\nhint: .*certs.d/${host}/ca.crt`));
    await assert.rejects(skopeo('inspect', reference), /certificate signed by unknown authority/);

    const certificateDirectory = subdirectory();
    mkdirSync(certificateDirectory);
    copyFileSync(certificates.ca.cert, join(certificateDirectory, 'ca.crt'));
    assert.deepEqual((await pull(reference, { certDir: certificateDirectory })).ids, fromLayout);
    assert.deepEqual((await pull(reference, { tlsVerify: false })).ids, fromLayout);

    trust(host);
    assert.deepEqual((await pull(reference)).ids, fromLayout);
    assert.equal(await skopeoDigest(`${host}/my/image:v1`), digest);
  });

  /** A login by either program serves both. */
  async function checkLogins(host: string): Promise<void> {
    const reference = `docker://${host}/my/image:v1`;
    assert.match(await refusal(reference), new RegExp(`\nhint: .*cfsctl oci login ${host}`));
    const wrong = await cfsctl(['oci', 'login', '-u', 'ann', '-p', 'wrong', host]);
    assert.equal(wrong.stderr.split('\n')[0], `Error: ${host} does not let the user 'ann' in`);

    expectSuccess(await cfsctl(['oci', 'login', '-u', 'ann', '--password-stdin', host], 'secret\n'));
    assert.equal(await skopeoDigest(`${host}/my/image:v1`), digest);
    assert.equal((await skopeo('login', '--get-login', host)).trim(), 'ann');
    assert.deepEqual((await pull(reference)).ids, fromLayout);
    await skopeo('logout', host);
    assert.match(await refusal(reference), /without a login/);

    await skopeo('login', '-u', 'ann', '-p', 'secret', host);
    assert.deepEqual((await pull(reference)).ids, fromLayout);
    assert.equal(expectSuccess(await cfsctl(['oci', 'login', '--get-login', host])), 'ann');
    expectSuccess(await cfsctl(['oci', 'logout', host]));
    await assert.rejects(skopeo('inspect', reference));
    assert.deepEqual((await pull(reference, { credentials: { username: 'ann', password: 'secret' } })).ids, fromLayout);
  }

  test('TLS and passwords', { skip: without('htpasswd') }, async () => {
    const passwords = join(directory, 'htpasswd');
    const { stdout } = await promisify(execFile)('htpasswd', ['-Bbn', 'ann', 'secret']);
    writeFileSync(passwords, stdout);
    const auth = { htpasswd: { realm: 'test', path: passwords } };
    const { host } = running(await startDockerRegistry(subdirectory(), { tls: certificates.server, auth }));
    trust(host);
    await fill(host, '--dest-creds', 'ann:secret');
    await checkLogins(host);
  });

  test('a token server', async () => {
    const tokens: TokenServer = await startTokenServer(certificates.ca, 'ann', 'secret');
    after(() => tokens.close());
    const { host } = running(await startDockerRegistry(subdirectory(), { auth: tokens.registryAuth }));
    writeRegistriesConf(`[[registry]]\nlocation = "${host}"\ninsecure = true\n`);
    await fill(host, '--dest-creds', 'ann:secret');
    await checkLogins(host);
    tokens.asked.length = 0;
    await pull(`docker://${host}/my/image:v1`, { credentials: { username: 'ann', password: 'secret' } });
    // One token does for manifest, config and all layers.
    assert.deepEqual(tokens.asked, [{ scopes: ['repository:my/image:pull'], user: 'ann' }]);
  });

  test('nginx as a mirror, which goes on when the registry is gone', { skip: without('nginx') }, async () => {
    const registry = running(await startDockerRegistry(subdirectory()));
    await fill(registry.host, '--dest-tls-verify=false');
    const nginxDirectory = subdirectory();
    const mirror = running(await startNginxMirror(nginxDirectory, registry.host));
    writeRegistriesConf(
      [
        '[[registry]]',
        'location = "registry.example.invalid"',
        '[[registry.mirror]]',
        `location = "${mirror.host}"`,
        'insecure = true',
        '',
      ].join('\n'),
    );
    const name = 'registry.example.invalid/my/image:v1';
    assert.deepEqual(await pull(`docker://${name}`), { ids: fromLayout, fetched: size });
    assert.equal(await skopeoDigest(name), digest);
    await registry.stop();
    assert.deepEqual(await pull(`docker://${name}`), { ids: fromLayout, fetched: size });
    const log = readFileSync(join(nginxDirectory, 'access.log'), 'utf8');
    assert.match(log, /"GET \/v2\/my\/image\/manifests\/v1 HTTP\/1\.1" 200 /);

    // Where the mirror fails, the registry itself is asked; here, there is none.
    await mirror.stop();
    const failed = await refusal(`docker://${name}`, {}, 1);
    assert.match(failed, /The host registry\.example\.invalid does not exist \(mirrors failed before: /);
    assert.match(failed, new RegExp(`${mirror.host}: Nothing listens at ${mirror.host}`));
  });
});
