import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseRegistryReference } from '../../../src/oci/model/registry-reference.js';
import { type RegistryConfigOptions, resolveEndpoints } from '../../../src/oci/registry/endpoint.js';
import { configIn } from './config-fixtures.js';

const MAIN = 'etc/containers/registries.conf';
const DIGEST = `sha256:${'ab'.repeat(32)}`;

function places(text: string, options: RegistryConfigOptions): string[] {
  return resolveEndpoints(parseRegistryReference(text), options).map(
    ({ host, repository, insecure, isMirror }) =>
      `${host}/${repository}${insecure ? ' insecure' : ''}${isMirror ? ' mirror' : ''}`,
  );
}

/** The places of an image with one configuration file. */
function placesWith(t: TestContext, conf: string, text: string): string[] {
  return places(text, configIn(t, { [MAIN]: conf }));
}

test('without configuration an image is where its name says', (t) => {
  assert.deepEqual(places('a.b/c:1', configIn(t)), ['a.b/c']);
  assert.deepEqual(places('debian', configIn(t)), ['docker.io/library/debian']);
});

const EXAMPLE = `
unqualified-search-registries = ["example.com"]
[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar"
[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"
[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true
[[registry]]
location = "registry.com"
[[registry.mirror]]
location = "mirror.registry.com"
`;

test('mirrors come in order before the location, as in the example of the manual page', (t) => {
  assert.deepEqual(placesWith(t, EXAMPLE, 'example.com/foo/image:latest'), [
    'example-mirror-0.local/mirror-for-foo/image mirror',
    'example-mirror-1.local/mirrors/foo/image insecure mirror',
    'internal-registry-for-example.com/bar/image',
  ]);
  assert.deepEqual(placesWith(t, EXAMPLE, 'registry.com/image'), [
    'mirror.registry.com/image mirror',
    'registry.com/image',
  ]);
  assert.deepEqual(placesWith(t, EXAMPLE, 'example.com/foobar/image'), ['example.com/foobar/image']);
});

test('the longest prefix counts, up to a tag or digest', (t) => {
  const conf = ['host.io', 'host.io/ns', 'host.io/ns/app', 'host.io/ns/app:1', `host.io/ns/app@${DIGEST}`]
    .map((prefix, i) => `[[registry]]\nprefix = "${prefix}"\nlocation = "${prefix.replace('host.io', `m${i}.io`)}"\n`)
    .join('');
  assert.deepEqual(placesWith(t, conf, 'host.io/x'), ['m0.io/x']);
  assert.deepEqual(placesWith(t, conf, 'host.io/ns/x'), ['m1.io/ns/x']);
  assert.deepEqual(placesWith(t, conf, 'host.io/nsx/app'), ['m0.io/nsx/app']);
  assert.deepEqual(placesWith(t, conf, 'host.io/ns/app'), ['m2.io/ns/app']);
  assert.deepEqual(placesWith(t, conf, 'host.io/ns/app:1'), ['m3.io/ns/app']);
  assert.deepEqual(placesWith(t, conf, 'host.io/ns/app:12'), ['m2.io/ns/app']);
  assert.deepEqual(placesWith(t, conf, `host.io/ns/app@${DIGEST}`), ['m4.io/ns/app']);
});

test('a wildcard stands for any number of subdomains, and needs no location', (t) => {
  const conf = '[[registry]]\nprefix = "*.example.com"\ninsecure = true\n[[registry.mirror]]\nlocation = "m.io/x"\n';
  assert.deepEqual(placesWith(t, conf, 'a.example.com/i'), ['m.io/x/i mirror', 'a.example.com/i insecure']);
  assert.deepEqual(placesWith(t, conf, 'example.com/i'), ['example.com/i']);
  assert.deepEqual(placesWith(t, conf, 'xexample.com/i'), ['xexample.com/i']);
  assert.deepEqual(placesWith(t, conf, 'b.io/a.example.com/i'), ['b.io/a.example.com/i']);
  const port = '[[registry]]\nprefix = "*.example.com"\ninsecure = true\n';
  assert.deepEqual(placesWith(t, port, 'a.b.example.com:80/i'), ['a.b.example.com:80/i insecure']);
  const moved = '[[registry]]\nprefix = "*.example.com"\nlocation = "other.io/all"\n';
  assert.deepEqual(placesWith(t, moved, 'a.b.example.com/ns/i'), ['other.io/all/ns/i']);
});

test('docker.io images are matched by their complete names', (t) => {
  const conf = '[[registry]]\nprefix = "docker.io/library"\nlocation = "m.io/hub"\n';
  assert.deepEqual(placesWith(t, conf, 'debian'), ['m.io/hub/debian']);
  assert.deepEqual(placesWith(t, conf, 'docker.io/user/app'), ['docker.io/user/app']);
});

test('mirrors can be for digests or for tags only', (t) => {
  const mirror = (use: string): string => `[[registry.mirror]]\nlocation = "${use}.io"\npull-from-mirror = "${use}"\n`;
  const conf = `[[registry]]\nlocation = "a.b"\n${mirror('all')}${mirror('digest-only')}${mirror('tag-only')}`;
  assert.deepEqual(placesWith(t, conf, 'a.b/c:1'), ['all.io/c mirror', 'tag-only.io/c mirror', 'a.b/c']);
  assert.deepEqual(placesWith(t, conf, `a.b/c@${DIGEST}`), ['all.io/c mirror', 'digest-only.io/c mirror', 'a.b/c']);
  const byDigest =
    '[[registry]]\nlocation = "a.b"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.io"\n';
  assert.deepEqual(placesWith(t, byDigest, 'a.b/c:1'), ['a.b/c']);
  assert.deepEqual(placesWith(t, byDigest, `a.b/c:1@${DIGEST}`), ['m.io/c mirror', 'a.b/c']);
});

test('a blocked registry is refused, and the error names the file', (t) => {
  const options = configIn(t, { [MAIN]: '[[registry]]\nlocation = "bad.io"\nblocked = true\n' });
  assert.throws(() => places('bad.io/x', options), {
    code: 'REGISTRY_BLOCKED',
    message: /bad\.io\/x:latest may not be pulled/,
  });
  assert.deepEqual(places('good.io/x', options), ['good.io/x']);
});

test('--tls-verify overrides what the configuration says of TLS', (t) => {
  const options = configIn(t, { [MAIN]: '[[registry]]\nlocation = "a.b"\ninsecure = true\n' });
  assert.deepEqual(places('a.b/c', { ...options, tlsVerify: true }), ['a.b/c']);
  assert.deepEqual(places('c.d/e', { ...options, tlsVerify: false }), ['c.d/e insecure']);
});

test('drop-in files come after the main file, the system before the user, by name', (t) => {
  const entry = (location: string): string => `[[registry]]\nprefix = "a.b"\nlocation = "${location}"\n`;
  const files: Record<string, string> = { [MAIN]: entry('main.io') };
  assert.deepEqual(places('a.b/c', configIn(t, files)), ['main.io/c']);
  files['etc/containers/registries.conf.d/20.conf'] = entry('twenty.io');
  files['etc/containers/registries.conf.d/10.conf'] = entry('ten.io');
  files['etc/containers/registries.conf.d/30.ignored'] = entry('thirty.io');
  assert.deepEqual(places('a.b/c', configIn(t, files)), ['twenty.io/c']);
  files['home/.config/containers/registries.conf.d/00.conf'] = entry('user.io');
  assert.deepEqual(places('a.b/c', configIn(t, files)), ['user.io/c']);
});

test("the user's main file hides the system's files; a named file hides both main files", (t) => {
  const entry = (prefix: string, location: string): string =>
    `[[registry]]\nprefix = "${prefix}"\nlocation = "${location}"\n`;
  const options = configIn(t, {
    [MAIN]: entry('a.b', 'system.io'),
    'etc/containers/registries.conf.d/x.conf': entry('dropin.b', 'dropin.io'),
    'home/.config/containers/registries.conf': entry('a.b', 'user.io'),
    'named.conf': entry('a.b', 'named.io'),
  });
  assert.deepEqual(places('a.b/c', options), ['user.io/c']);
  assert.deepEqual(places('dropin.b/c', options), ['dropin.b/c']);
  const registriesConf = join(options.root, 'named.conf');
  assert.deepEqual(places('a.b/c', { ...options, registriesConf }), ['named.io/c']);
  assert.deepEqual(places('dropin.b/c', { ...options, registriesConf }), ['dropin.io/c']);
  const environment = { ...options.environment, CONTAINERS_REGISTRIES_CONF: registriesConf };
  assert.deepEqual(places('a.b/c', { ...options, environment }), ['named.io/c']);
  assert.throws(() => places('a.b/c', { ...options, registriesConf: join(options.root, 'none') }), {
    code: 'INVALID_REGISTRIES_CONF',
    message: /none: there is no such file/,
  });
});

const REFUSED: readonly (readonly [name: string, conf: string, reason: RegExp])[] = [
  ['a fault in the TOML', '[[registry]]\nlocation = "a.b"\nlocation = 1\n', /registries\.conf: line 3, column \d+: /],
  ['a wrong type', '[[registry]]\nlocation = 1\n', /registries\.conf: registry\.0\.location: expected a string/],
  [
    'version 1 beside version 2',
    'short-name-mode = "permissive"\n[registries.search]\nregistries = ["a.b"]\n',
    /version 1 of the format, which cannot be mixed/,
  ],
  [
    'version 1 of a wrong type',
    '[registries.search]\nregistries = "a.b"\n',
    /registries\.search\.registries: expected/,
  ],
  ['no location', '[[registry]]\nprefix = "a.b"\n', /registry 1: prefix 'a\.b' needs a location/],
  ['nothing', '[[registry]]\ninsecure = true\n', /registry 1 has neither location nor prefix/],
  ['a URL', '[[registry]]\nlocation = "https://a.b"\n', /must be without http:\/\/ or https:\/\//],
  ['a wildcard elsewhere', '[[registry]]\nprefix = "a.*.b"\nlocation = "c.d"\n', /only \*\.example\.com may have/],
  ['a wildcard with a path', '[[registry]]\nprefix = "*.b/c"\nlocation = "c.d"\n', /only \*\.example\.com may have/],
  [
    'a mirror without location',
    '[[registry]]\nlocation = "a.b"\n[[registry.mirror]]\ninsecure = true\n',
    /mirror 1 has no location/,
  ],
  [
    'an unknown use',
    '[[registry]]\nlocation = "a.b"\n[[registry.mirror]]\nlocation = "m"\npull-from-mirror = "x"\n',
    /'x' is not all/,
  ],
  ['a use outside a mirror', '[[registry]]\nlocation = "a.b"\npull-from-mirror = "all"\n', /is for mirrors only/],
  [
    'two ways of limiting mirrors',
    '[[registry]]\nlocation = "a.b"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.io"\npull-from-mirror = "all"\n',
    /exclude each other/,
  ],
  [
    'a contradiction',
    '[[registry]]\nlocation = "a.b"\n[[registry]]\nprefix = "c.d"\nlocation = "a.b"\ninsecure = true\n',
    /'a\.b' is defined twice with different 'insecure'/,
  ],
  ['a search registry with a path', 'unqualified-search-registries = ["a.b/c"]\n', /'a\.b\/c' is no host/],
  ['an unknown mode', 'short-name-mode = "x"\n', /short-name-mode 'x'/],
  ['an alias of a host', '[aliases]\n"a.b/c" = "d.e/f"\n', /'a\.b\/c' is no short name/],
  ['an alias to a tag', '[aliases]\n"c" = "d.e/f:1"\n', /without a tag or digest/],
  ['an alias without a host', '[aliases]\n"c" = "f"\n', /must be HOST\/NAME/],
];

for (const [name, conf, reason] of REFUSED) {
  test(`${name} in registries.conf is an error that names the file`, (t) => {
    assert.throws(() => placesWith(t, conf, 'a.b/c'), { code: 'INVALID_REGISTRIES_CONF', message: reason });
  });
}

test('a location that makes no image name is an error', (t) => {
  const conf = '[[registry]]\nprefix = "a.b"\nlocation = "Nohost"\n';
  assert.throws(() => placesWith(t, conf, 'a.b/c'), {
    code: 'INVALID_REGISTRIES_CONF',
    message: /does not begin with a host/,
  });
});
