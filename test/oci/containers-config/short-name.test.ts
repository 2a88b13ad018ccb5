import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { loadRegistriesConf } from '../../../src/oci/containers-config/registries-conf.js';
import { resolveShortName } from '../../../src/oci/containers-config/short-name.js';
import { formatRegistryReference } from '../../../src/oci/model/registry-reference.js';
import { openSource } from '../../support/open-source.js';
import { configIn } from '../registry/config-fixtures.js';

const DIGEST = `sha256:${'ab'.repeat(32)}`;

function candidates(t: TestContext, conf: string, name: string): string[] {
  const options = configIn(t, { 'etc/containers/registries.conf': conf });
  return resolveShortName(name, options).map(formatRegistryReference);
}

test('a name with a host is that image', (t) => {
  const conf = 'unqualified-search-registries = ["x.io"]\n';
  assert.deepEqual(candidates(t, conf, 'a.b/c'), ['a.b/c:latest']);
  assert.deepEqual(candidates(t, conf, 'localhost/c:1'), ['localhost/c:1']);
});

test('without configuration a short name is of docker.io', (t) => {
  assert.deepEqual(candidates(t, '', 'debian:12'), ['docker.io/library/debian:12']);
});

test('an alias decides, and keeps tag and digest', (t) => {
  const conf = 'unqualified-search-registries = ["x.io"]\n[aliases]\n"app" = "y.io/ns/app"\n"ns/app" = "z.io/app"\n';
  assert.deepEqual(candidates(t, conf, 'app'), ['y.io/ns/app:latest']);
  assert.deepEqual(candidates(t, conf, 'app:2'), ['y.io/ns/app:2']);
  assert.deepEqual(candidates(t, conf, `app@${DIGEST}`), [`y.io/ns/app@${DIGEST}`]);
  assert.deepEqual(candidates(t, conf, 'ns/app'), ['z.io/app:latest']);
  assert.deepEqual(candidates(t, conf, 'other'), ['x.io/other:latest']);
});

test('a later file can change or remove an alias', (t) => {
  const options = configIn(t, {
    'etc/containers/registries.conf': '[aliases]\n"a" = "one.io/a"\n"b" = "one.io/b"\n',
    'etc/containers/registries.conf.d/x.conf': '[aliases]\n"a" = "two.io/a"\n"b" = ""\n',
  });
  assert.deepEqual(resolveShortName('a', options).map(formatRegistryReference), ['two.io/a:latest']);
  assert.deepEqual(resolveShortName('b', options).map(formatRegistryReference), ['docker.io/library/b:latest']);
});

test('a main file of version 1 counts, a drop-in file of version 1 does not', (t) => {
  const old = '[registries.search]\nregistries = ["x.io", "docker.io"]\n[registries.insecure]\nregistries = []\n';
  assert.deepEqual(candidates(t, old, 'app:1'), ['x.io/app:1', 'docker.io/library/app:1']);
  const empty = 'unqualified-search-registries = ["y.io"]\n[registries.block]\nregistries = []\n[registries.search]\n';
  assert.deepEqual(candidates(t, empty, 'app'), ['y.io/app:latest']);
  const options = configIn(t, { 'etc/containers/registries.conf.d/x.conf': old });
  assert.throws(() => resolveShortName('app', options), {
    code: 'INVALID_REGISTRIES_CONF',
    message: /x\.conf: \[registries\.…\] is of version 1 of the format, which cannot be in a drop-in file/,
  });
});

test('registries of version 1 are insecure, blocked or both', (t) => {
  const conf =
    '[registries.insecure]\nregistries = ["a.b", "c.d:5000/ns"]\n[registries.block]\nregistries = ["e.f", "a.b"]\n';
  const { registries } = loadRegistriesConf(configIn(t, { 'etc/containers/registries.conf': conf }));
  assert.deepEqual(
    registries.map(({ prefix, location, insecure, blocked }) => ({ prefix, location, insecure, blocked })),
    [
      { prefix: 'e.f', location: 'e.f', insecure: false, blocked: true },
      { prefix: 'a.b', location: 'a.b', insecure: true, blocked: true },
      { prefix: 'c.d:5000/ns', location: 'c.d:5000/ns', insecure: true, blocked: false },
    ],
  );
});

test('given credentials go to no registry that was not named', async (t) => {
  const conf = 'unqualified-search-registries = ["x.io", "y.io"]\n';
  const config = {
    ...configIn(t, { 'etc/containers/registries.conf': conf }),
    credentials: { username: 'ann', password: 'secret' },
  };
  for (const via of [undefined, 'skopeo'] as const) {
    await assert.rejects(openSource('app', { registry: { config }, via }), {
      code: 'AMBIGUOUS_SHORT_NAME',
      message: "'app' may be x.io/app:latest or y.io/app:latest",
      hint: 'The given credentials are for one registry only. Name it: x.io/app:latest',
    });
  }
  await (await openSource('x.io/app', { registry: { config } })).close();
});

test('the registries to search come in order, and docker.io has its library', (t) => {
  const conf = 'unqualified-search-registries = ["x.io", "docker.io", "localhost:5000"]\n';
  assert.deepEqual(candidates(t, conf, 'app:1'), ['x.io/app:1', 'docker.io/library/app:1', 'localhost:5000/app:1']);
  assert.deepEqual(candidates(t, conf, 'ns/app'), [
    'x.io/ns/app:latest',
    'docker.io/ns/app:latest',
    'localhost:5000/ns/app:latest',
  ]);
});

test('an ambiguous name is an error where the mode is enforcing', (t) => {
  const conf = 'short-name-mode = "enforcing"\nunqualified-search-registries = ["x.io", "y.io"]\n';
  assert.throws(() => candidates(t, conf, 'app'), {
    code: 'AMBIGUOUS_SHORT_NAME',
    message: /'app' may be of x\.io or y\.io/,
  });
  const one = 'short-name-mode = "enforcing"\nunqualified-search-registries = ["x.io"]\n';
  assert.deepEqual(candidates(t, one, 'app'), ['x.io/app:latest']);
});
