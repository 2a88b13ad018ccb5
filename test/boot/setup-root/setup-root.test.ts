import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, linkSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeCmdlineComposefs } from '../../../src/boot/cmdline/composefs-argument.js';
import type { HashAlgorithm } from '../../../src/composefs/fsverity/algorithm.js';
import { hasCapability } from '../../../src/linux/process.js';
import { cfsctl } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { commandPath, packageRoot } from '../../support/paths.js';
import { findInPath } from '../../support/programs.js';

/** `composefs-setup-root` in a mount namespace of its own, in which nothing stays mounted. */

const COMMAND = commandPath('composefs-setup-root');
const skip = reasonToSkip();
const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

/** A physical root with a repository and an image with `/etc/hello`, `/usr/big`, `/var/seed`. */
interface Machine {
  readonly sysroot: string;
  readonly id: string;
  readonly karg: string;
}

const machines = new Map<string, Machine>();

before(() => {
  if (skip !== false) return;
  for (const algorithm of ['sha256', 'sha512'] as const) machines.set(algorithm, makeMachine(algorithm, 2));
  machines.set('v1', makeMachine('sha256', 1));
});

function machine(name = 'sha256'): Machine {
  const found = machines.get(name);
  if (found === undefined) throw new Error(`no machine ${name}`);
  return found;
}

for (const name of ['sha256', 'sha512', 'v1']) {
  test(`the image is the root, with state and physical root in it (${name})`, { skip }, () => {
    const { sysroot, id, karg } = machine(name);
    const first = boot(
      { name },
      'cat etc/hello var/kept; wc -c <usr/big; ls; echo new >etc/new; echo v >var/kept; touch x',
    );
    assert.deepEqual(first.lines, ['hello', '5000', 'boot', 'etc', 'sysroot', 'usr', 'var']);
    assert.match(first.stderr, /var\/kept: No such file/);
    assert.match(first.stderr, /x'?: Read-only file system/);
    const { lines } = boot(
      { name },
      'cat etc/hello etc/new var/kept; stat -c %a etc; ls sysroot; grep -E " $PWD(/etc|/var|/sysroot)? " /proc/self/mountinfo | cut -d" " -f 5,6; rm var/kept',
    );
    assert.deepEqual(lines, [
      ...['hello', 'new', 'v', '755', 'composefs', 'state'],
      `${sysroot} ro,relatime`,
      `${sysroot}/sysroot rw,relatime`,
      `${sysroot}/etc rw,relatime`,
      `${sysroot}/var rw,relatime`,
    ]);
    assert.equal(readFileSync(join(sysroot, 'state/deploy', id, 'etc/upper/new'), 'utf8'), 'new\n');
    assert.match(karg, name === 'v1' ? /^composefs.digest=\?v1-/ : /^composefs=\?/);
  });
}

test('directories are those of the image, or of the state, or change until the machine stops', { skip }, () => {
  const config = (text: string, script: string) => boot({ config: text }, script);
  const plain = config(
    '[etc]\nmount = "none"\n[var]\nmount = "none"',
    'cat etc/hello var/seed; touch etc/x || touch var/x',
  );
  assert.deepEqual(plain.lines, ['hello', 'seed']);
  assert.match(plain.stderr, /etc\/x'?: Read-only.*\n.*var\/x'?: Read-only/);

  const transient = '[etc]\ntransient = true\n[var]\ntransient = true';
  for (let i = 0; i < 2; i++) {
    const { lines } = config(transient, 'ls etc var; echo 1 >etc/t; rm var/seed; cat etc/t; ls var; stat -f -c %T etc');
    assert.deepEqual(lines, ['etc:', 'hello', '', 'var:', 'seed', '1', 'overlayfs']);
  }
  const overlay = config('[var]\nmount = "overlay"', 'cat var/seed; mkdir var/d; ls var');
  // The state has no overlay of /var: that is made when the image is deployed.
  assert.deepEqual(overlay.lines, ['seed', 'd', 'seed']);
  const bind = config('[etc]\nmount = "bind"', 'ls etc');
  assert.deepEqual(bind.lines, ['upper', 'work']);
});

test('a transient root is writable, and has state and physical root, too', { skip }, () => {
  for (let i = 0; i < 2; i++) {
    const { lines } = boot(
      { config: '[root]\ntransient = true' },
      'ls; echo 1 >usr/x; cat usr/x; ls sysroot; touch var/y; ls sysroot/state/deploy/*/var | grep y; rm var/y',
    );
    assert.deepEqual(lines, ['boot', 'etc', 'sysroot', 'usr', 'var', '1', 'composefs', 'state', 'y']);
  }
});

test('a directory stands for the image', { skip }, () => {
  const tree = place('tree-of-root-fs');
  for (const name of ['etc', 'var']) mkdirSync(join(tree, name), { recursive: true });
  writeFileSync(join(tree, 'marker'), 'x');
  const { lines } = boot({ args: ['--root-fs', tree] }, 'ls; echo 1 >etc/from-root-fs; ls etc');
  assert.deepEqual(lines, ['etc', 'marker', 'var', 'from-root-fs', 'new']);
  assert(!existsSync(join(tree, 'etc/from-root-fs')));
});

test('arguments that lead to no image are passed over', { skip }, () => {
  const { karg } = machine();
  const missing = 'a'.repeat(64);
  const found = boot({ cmdline: `composefs=?${missing} quiet ${karg}` }, 'cat etc/hello');
  assert.deepEqual(found.lines, ['hello']);
  assert.equal(found.stderr, `composefs: image ${missing} not found, trying next karg\n`);
});

test('upper-case hex and unused arguments are taken', { skip }, () => {
  const { karg } = machine();
  const upper = karg.replace(/[0-9a-f]{64}/, (hex) => hex.toUpperCase());
  const args = ['--target', 'x', 'initrd', 'switch-root'];
  assert.deepEqual(boot({ cmdline: upper, args }, 'cat etc/hello').lines, ['hello']);
});

const MISSING = 'b'.repeat(64);
const REFUSED: readonly [name: string, how: () => BootOptions, message: RegExp][] = [
  [
    'no argument',
    () => ({ cmdline: 'quiet composefs' }),
    /^Error: no composefs karg found in kernel cmdline\n\nhint: /,
  ],
  ['a malformed one', () => ({ cmdline: 'composefs=foo' }), /^Error: invalid composefs= digest length: 3$/m],
  [
    'no image',
    () => ({ cmdline: `composefs=?${MISSING}` }),
    new RegExp(
      `^composefs: image ${MISSING} not found, trying next karg\nError: no composefs image found \\(tried: ${MISSING}\\)`,
    ),
  ],
  [
    'fs-verity that is not there',
    () => ({ cmdline: machine().karg.replace('?', '') }),
    /^Error: Failed to mount composefs image\n\nCaused by:\n +repository was not initialized with fs-verity\n/,
  ],
  [
    'another algorithm',
    () => ({ cmdline: `composefs=?${'c'.repeat(128)} ${machine().karg}` }),
    /^Error: Failed to mount composefs image\n[\s\S]*sha256/,
  ],
  ['a wrong configuration', () => ({ config: '[etc]\nmount = 1' }), /must be one of none, bind, overlay, transient/],
  ['no repository', () => ({ sysroot: 'empty' }), /^Error: Failed to mount composefs image\n/],
  ['no physical root', () => ({ sysroot: 'missing' }), /ENOENT/],
  [
    'a directory that is missing in the image',
    () => ({ args: ['--root-fs', place('empty')] }),
    /^Error: Mounting \/etc \(overlay\)\n[\s\S]*ENOENT/,
  ],
  [
    'no state',
    () => ({ sysroot: 'stateless' }),
    /^Error: Opening the state of the image, state\/deploy\/[\s\S]*hint: cfsctl oci prepare-boot makes it/,
  ],
];

for (const [name, how, message] of REFUSED) {
  test(`${name}: an error, and nothing stays mounted`, { skip }, () => {
    mkdirSync(place('empty'), { recursive: true });
    const stateless = place('stateless');
    mkdirSync(stateless, { recursive: true });
    if (!existsSync(join(stateless, 'composefs')))
      cpSync(join(machine().sysroot, 'composefs'), join(stateless, 'composefs'), {
        recursive: true,
        verbatimSymlinks: true,
      });
    const { status, stderr, lines } = boot(how(), 'true', `grep -c '${fixtures.directory}' /proc/self/mountinfo`);
    assert.equal(status, 1);
    assert.match(stderr, message);
    assert.deepEqual(lines, ['0']);
  });
}

test('usage', { skip: false }, () => {
  const run = (...args: string[]) => spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' });
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  assert.equal(run('--version').stdout, `composefs-setup-root ${version}\n`);
  assert.match(run('--help').stdout, /^Usage: composefs-setup-root \[OPTIONS\] \[CMD\]\.\.\.\n/);
  const wrong = run('--unknown');
  assert.deepEqual([wrong.status, wrong.stderr.split('\n')[0]], [2, "error: unrecognized option '--unknown'"]);
  assert.match(run('--sysroot').stderr, /^error: option '--sysroot' requires an argument\n/);
});

test('in an initramfs: Node.js, its libraries, koffi, and one file', { skip }, () => {
  const initramfs = place('initramfs');
  for (const name of ['proc', 'run', 'dev', 'sysroot', 'usr/lib/composefs/bin'])
    mkdirSync(join(initramfs, name), { recursive: true });
  const copy = (from: string, to: string) => {
    mkdirSync(dirname(join(initramfs, to)), { recursive: true });
    try {
      linkSync(realpathSync(from), join(initramfs, to));
    } catch {
      cpSync(from, join(initramfs, to), { recursive: true, dereference: true });
    }
  };
  copy(process.execPath, '/usr/bin/node');
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  for (const library of libraries) copy(library, library);
  cpSync(COMMAND, join(initramfs, 'usr/lib/composefs/bin/composefs-setup-root.js'));
  const koffi = `node_modules/@koromix/koffi-linux-${process.arch}`;
  cpSync(join(packageRoot, koffi), join(initramfs, 'usr/lib/composefs', koffi), { recursive: true });
  const { sysroot, karg } = machine();
  const { lines } = inNamespace(`
    mount --bind ${initramfs} ${initramfs}
    mount --bind ${sysroot} ${initramfs}/sysroot
    mount -t proc proc ${initramfs}/proc
    chroot ${initramfs} /usr/bin/node /usr/lib/composefs/bin/composefs-setup-root.js --cmdline "${karg}"
    cat ${initramfs}/sysroot/etc/hello
  `);
  assert.deepEqual(lines, ['hello']);
});

function place(name: string): string {
  return join(fixtures.directory, name);
}

interface BootOptions {
  readonly name?: string;
  readonly sysroot?: string;
  readonly cmdline?: string;
  readonly config?: string;
  readonly args?: readonly string[];
}

interface Result {
  readonly status: number | null;
  readonly lines: readonly string[];
  readonly stderr: string;
}

/** Sets the root up, and runs a script in it, or another one in the namespace if that fails. */
function boot({ name, sysroot, cmdline, config = '', args = [] }: BootOptions, script: string, otherwise = ''): Result {
  const { sysroot: own, karg } = machine(name);
  const root = sysroot === undefined ? own : place(sysroot);
  const configPath = place('config.toml');
  writeFileSync(configPath, config);
  const given = ['--sysroot', root, '--config', configPath, '--cmdline', cmdline ?? karg, ...args];
  const command = [process.execPath, COMMAND, ...given].map((word) => `'${word}'`).join(' ');
  return inNamespace(`if ${command}; then cd '${root}'; ${script}; else\n${otherwise}\nexit 1\nfi`);
}

function inNamespace(script: string): Result {
  const { status, stdout, stderr } = spawnSync('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const lines = stdout.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return { status, lines, stderr };
}

function makeMachine(algorithm: HashAlgorithm, version: 1 | 2): Machine {
  const sysroot = place(`sysroot-${algorithm}-${version}`);
  const repository = join(sysroot, 'composefs');
  const tree = place(`tree-${algorithm}-${version}`);
  for (const directory of ['boot', 'etc', 'sysroot', 'usr', 'var'])
    mkdirSync(join(tree, directory), { recursive: true });
  for (const [path, text] of [
    ['etc/hello', 'hello\n'],
    ['usr/big', 'x'.repeat(5000)],
    ['var/seed', 'seed\n'],
  ] as const) {
    writeFileSync(join(tree, path), text);
  }
  mkdirSync(sysroot, { recursive: true });
  const run = (...args: string[]): string => {
    const { status, stdout, stderr } = cfsctl(['--repo', repository, ...args]);
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  run('init', '--insecure', '--algorithm', `fsverity-${algorithm}-12`);
  const id = run('--erofs-version', String(version), 'create-image', tree).split(':')[1] ?? '';
  for (const directory of ['var', 'etc/upper', 'etc/work']) {
    mkdirSync(join(sysroot, 'state/deploy', id, directory), { recursive: true });
  }
  mkdirSync(join(sysroot, 'state/deploy', id, 'var'), { recursive: true });
  return { sysroot, id, karg: makeCmdlineComposefs(id, true, version, algorithm) };
}

function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'mounts need root';
  if (!hasCapability('CAP_SYS_ADMIN')) return 'mounts need CAP_SYS_ADMIN';
  if (findInPath('unshare') === undefined) return 'unshare is not installed';
  return false;
}
