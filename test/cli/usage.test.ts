import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { renderUsageError, UsageError } from '../../src/cli/context/usage-error.js';
import { createProgram } from '../../src/cli/program.js';
import { Output } from '../../src/cli/terminal/output.js';
import { printLines } from '../../src/cli/terminal/terminal-text.js';
import { hoistGlobals } from '../../src/cli/verbs/hoist-globals.js';
import { cfsctl } from '../support/cfsctl.js';
import { withTempDir } from '../support/paths.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;

/** Usage errors, and the lines that they begin with: those of the reference (spec 70 A2). */
const USAGE_ERRORS: readonly (readonly [args: readonly string[], ...lines: string[]])[] = [
  [['--bogus'], "error: unexpected argument '--bogus' found", '', 'Usage: cfsctl [OPTIONS] <COMMAND>'],
  [['--bogus=1', 'gc'], "error: unexpected argument '--bogus' found"],
  [['bogus'], "error: unrecognized subcommand 'bogus'"],
  [['oci', 'bogus'], "error: unrecognized subcommand 'bogus'"],
  [['help', 'bogus'], "error: unrecognized subcommand 'bogus'"],
  [['bogus', '--help'], "error: unrecognized subcommand 'bogus'"],
  [['oci', 'pul', '-h'], "error: unrecognized subcommand 'pul'", '', "  tip: a similar subcommand exists: 'pull'"],
  [['imags'], "error: unrecognized subcommand 'imags'", '', "  tip: a similar subcommand exists: 'images'"],
  [['oci', 'pul', 'x'], "error: unrecognized subcommand 'pul'", '', "  tip: a similar subcommand exists: 'pull'"],
  ...Object.entries({
    pull: 'oci pull',
    ls: 'oci ls',
    login: 'oci login',
    export: 'oci export',
    rm: 'oci untag',
    rmi: 'oci untag',
    list: 'oci images',
    unmount: 'umount',
    'oci umount': 'umount',
    'oci gc': 'gc',
    'oci doctor': 'doctor',
    'oci list': 'oci images',
    'oci rm': 'oci untag',
    'oci verify': 'fsck',
    extrct: 'oci extract',
    'oci doctr': 'doctor',
  }).map(([given, meant]): [string[], ...string[]] => [
    given.split(' '),
    `error: unrecognized subcommand '${given.replace('oci ', '')}'`,
    '',
    `  tip: did you mean 'cfsctl ${meant}'?`,
  ]),
  [['--user'], "error: 'cfsctl' requires a subcommand but one was not provided"],
  [['--hash', 'x', 'init'], "error: invalid value 'x' for '--hash <HASH>'", '  [possible values: sha256, sha512]'],
  [['--erofs-version', '7', 'images'], "error: invalid value '7' for '--erofs-version <EROFS_VERSION>'"],
  [
    ['init', '--algorithm', 'sha'],
    "error: invalid value 'sha' for '--algorithm <ALGORITHM>': algorithm must start with 'fsverity-'",
  ],
  [
    ['init', '--algorithm', 'fsverity-sha512-16'],
    "error: invalid value 'fsverity-sha512-16' for '--algorithm <ALGORITHM>': unsupported lg_blocksize 16 (only 12 is currently supported)",
  ],
  [['--repo', 'a', '--user', 'gc'], "error: the argument '--repo <REPO>' cannot be used with '--user'"],
  [['--user', '--repo', 'a', 'gc'], "error: the argument '--user' cannot be used with '--repo <REPO>'"],
  [['--user', '--system', 'images'], "error: the argument '--user' cannot be used with '--system'"],
  [['--repo', 'a', '--repo', 'b', 'gc'], "error: the argument '--repo <REPO>' cannot be used multiple times"],
  [['images', '--json', '--json'], "error: the argument '--json' cannot be used multiple times"],
  [['gc', '-n', '-n'], "error: the argument '--dry-run' cannot be used multiple times"],
  [['gc', '-nn'], "error: the argument '--dry-run' cannot be used multiple times"],
  [['--repo'], "error: a value is required for '--repo <REPO>' but none was supplied"],
  [['--repo', '--user', 'gc'], "error: a value is required for '--repo <REPO>' but none was supplied"],
  [['gc', '-r'], "error: a value is required for '--root <ROOT>' but none was supplied"],
  [['gc', '--root='], "error: a value is required for '--root <ROOT>' but none was supplied"],
  [['images', '--repo'], "error: a value is required for '--repo <REPO>' but none was supplied"],
  [['images', '--repo', '--user'], "error: a value is required for '--repo <REPO>' but none was supplied"],
  [['images', '--repo='], "error: a value is required for '--repo <REPO>' but none was supplied"],
  [['--repo', 'a', 'images', '--repo', 'b'], "error: the argument '--repo <REPO>' cannot be used multiple times"],
  [['images', '--user', '--system'], "error: the argument '--user' cannot be used with '--system'"],
  [['gc', '-x'], "error: unexpected argument '-x' found"],
  [['images', 'extra'], "error: unexpected argument 'extra' found"],
  [['cat', 'a', 'b'], "error: unexpected argument 'b' found"],
  [['images', '--json=1'], "error: unexpected value '1' for '--json' found; no more were expected"],
  [['images', '--jso'], "error: unexpected argument '--jso' found", '', "  tip: a similar argument exists: '--json'"],
  [['cat'], 'error: the following required arguments were not provided:', '  <NAME>', '', 'Usage: cfsctl cat <NAME>'],
  [['cat', '--'], 'error: the following required arguments were not provided:', '  <NAME>'],
  [['mount'], 'error: the following required arguments were not provided:', '  <NAME>', '  <MOUNTPOINT>'],
  [['mount', 'a'], 'error: the following required arguments were not provided:', '  <MOUNTPOINT>'],
  [
    ['mount', 'a', 'b', '--upperdir', 'x'],
    'error: the following required arguments were not provided:',
    '  --workdir <WORKDIR>',
  ],
  [
    ['mount', 'a', 'b', '--read-write'],
    'error: the following required arguments were not provided:',
    '  --upperdir <UPPERDIR>',
  ],
  [['mount', 'a', 'b', '--fuse', 'maybe'], "error: invalid value 'maybe' for '--fuse <FUSE>'"],
  [
    ['oci', 'inspect', 'a', '--manifest', '--config'],
    "error: the argument '--manifest' cannot be used with '--config'",
  ],
  [
    ['create-image', '.', '--xattrs', 'foo'],
    `error: invalid value 'foo' for '--xattrs <XATTRS>': invalid xattr filtering mode "foo" (expected "allowlist-only" or "keep-user-xattrs")`,
  ],
  [['oci', 'layer', 'x'], "error: invalid value 'x' for '<LAYER>': missing ':' in digest"],
  [['oci', 'tag', '@foo', 'bar'], "error: invalid value '@foo' for '<IMAGE>': Invalid OCI digest after '@'"],
  [['oci', 'inspect', '@x'], "error: invalid value '@x' for '<IMAGE>': Invalid OCI digest after '@'"],
  [['oci', 'compute-id', '@x'], "error: invalid value '@x' for '<CONFIG_NAME>': Invalid OCI digest after '@'"],
  [['oci', 'layer', DIGEST, '--dumpfile', '--json'], "error: the argument '--dumpfile' cannot be used with '--json'"],
  [['oci', 'pull', 'oci:x', '--platform', 'a/b/c/d'], "error: invalid value 'a/b/c/d' for '--platform <PLATFORM>'"],
  [['oci', 'pull', 'oci:x', '--progress', 'x'], "error: invalid value 'x' for '--progress <PROGRESS>'"],
  [['oci', 'pull', '--tls-verify'], 'error: the following required arguments were not provided:', '  <IMAGE>'],
  [['oci', 'pull', '--tls-verify=', 'x'], "error: a value is required for '--tls-verify[=<TLS_VERIFY>]'"],
  [
    ['oci', 'pull', '--tls-verify', 'x', '--retry', 'many'],
    "error: invalid value 'many' for '--retry <COUNT>': not a number from 0 to 1000",
  ],
  [
    ['oci', 'login', '--password-stdin', '-p', 'x', 'h'],
    "error: the argument '--password-stdin' cannot be used with '--password <PASSWORD>'",
  ],
  [
    ['oci', 'pull', 'oci:x', '--expected-digest', 'ab'],
    'error: the following required arguments were not provided:',
    '  --bootable',
  ],
];

/** What a command line that is wrong prints. In this process: starting one for each would take long. */
async function usageErrorText(args: readonly string[]): Promise<string> {
  const program = createProgram(new Output(new PassThrough()));
  try {
    await program.parseAsync(hoistGlobals(program, args), { from: 'user' });
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return printLines(renderUsageError(error));
  }
  assert.fail('no usage error');
}

for (const [args, ...lines] of USAGE_ERRORS) {
  test(`usage error: cfsctl ${args.join(' ')}`, async () => {
    const text = await usageErrorText(args);
    // What follows the text of a parser may say more.
    assert.equal(text.slice(0, lines.join('\n').length), lines.join('\n'));
    assert.match(text, /\n\nFor more information, try '--help'\.\n$/);
  });
}

test('CLI-067 usage errors are on standard error, status 2', () => {
  const bogus = cfsctl(['--bogus']);
  assert.deepEqual(
    { ...bogus, stderr: bogus.stderr.split('\n')[0] },
    {
      status: 2,
      stdout: '',
      stderr: "error: unexpected argument '--bogus' found",
    },
  );
  const exclusive = cfsctl(['--repo', 'a', '--user', 'gc']);
  assert.equal(exclusive.status, 2);
  assert.match(exclusive.stderr, /cannot be used with/);
});

test('CLI-067 no arguments: help on standard error, status 2', () => {
  const { status, stdout, stderr } = cfsctl([]);
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /\n\nUsage: cfsctl \[OPTIONS\] <COMMAND>\n\nCommands:\n {2}init /);
});

test('CLI-067 --version', () => {
  for (const option of ['--version', '-V']) {
    const { status, stdout, stderr } = cfsctl([option]);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.match(stdout, /^cfsctl \d+\.\d+\.\d+\n$/);
  }
});

test('a group without a subcommand: its help on standard error, status 2', () => {
  const { status, stdout, stderr } = cfsctl(['oci']);
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /\n\nUsage: cfsctl oci <COMMAND>\n/);
});

test('the list of subcommands with an incomplete command line', () => {
  assert.match(cfsctl(['--user']).stderr, /\n {2}\[subcommands: init, .*, oci, help\]\n/);
});

test('help of every verb tells how to use it, in lines of at most 100 columns', () => {
  const program = createProgram(new Output(new PassThrough()));
  const verbs = (text: string): string[] =>
    [...text.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map((match) => match[1] ?? '').filter((verb) => verb !== 'help');
  const top = verbs(program.helpInformation()).map((verb) => [verb]);
  const oci = verbs(program.find(['oci']).helpInformation()).map((verb) => ['oci', verb]);
  const visible = [program, program.find(['oci'])].flatMap((each) => each.createHelp().visibleCommands(each));
  // Not the group itself, nor the two verbs that print help.
  const named = visible.map((command) => command.name()).filter((name) => name !== 'help');
  assert.deepEqual([...top, ...oci].map((verb) => verb.at(-1)).sort(), named.sort());
  for (const verb of [...top, ...oci]) {
    const text = program.find(verb).helpInformation();
    assert.ok(text.includes(`\n\nUsage: cfsctl ${verb.join(' ')}`), text);
    for (const line of text.split('\n')) assert.ok(line.length <= 100, line);
  }
});

test('help is on standard output, also as a subcommand', () => {
  const pull = cfsctl(['oci', 'pull', '--help']);
  assert.deepEqual({ status: pull.status, stderr: pull.stderr }, { status: 0, stderr: '' });
  assert.match(pull.stdout, /\n\nUsage: cfsctl oci pull \[OPTIONS\] <IMAGE> \[NAME\]\n/);
  assert.equal(cfsctl(['help', 'oci', 'pull']).stdout, pull.stdout);
  assert.equal(cfsctl(['oci', 'help', 'pull']).stdout, pull.stdout);
  assert.equal(cfsctl(['oci', 'pull', '-h']).stdout, pull.stdout);
});

test('hidden names stay out of the help', () => {
  const program = createProgram(new Output(new PassThrough()));
  assert.doesNotMatch(program.helpInformation(), /list-images|--insecure/);
});

test('--opt=value, -rVALUE, flags in groups, and options after arguments', () => {
  withTempDir((path) => {
    const repo = join(path, 'repo');
    assert.equal(cfsctl(['--insecure', `--repo=${repo}`, 'init', '--erofs-version=2']).status, 0);
    const gc = cfsctl(['--insecure', `--repo=${repo}`, 'gc', '-nrfoo', '--root=bar', '-r', 'baz']);
    assert.deepEqual(gc, {
      status: 0,
      stdout: 'Dry run (no files deleted):\nObjects: 0 removed (0 bytes)\n',
      stderr: ['foo', 'bar', 'baz']
        .map((root) => `warning: there is no image or stream ${root}: nothing is kept for it\n`)
        .join(''),
    });
    assert.equal(cfsctl(['init', join(path, 'late'), '--insecure']).status, 0);
    assert.ok(existsSync(join(path, 'late/meta.json')));
    assert.equal(cfsctl(['init', '--insecure', '--', join(path, '-dash')]).status, 0);
    assert.ok(existsSync(join(path, '-dash/meta.json')));
  });
});
