import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CFSCTL } from '../support/cfsctl.js';
import { CfsctlFixtures } from '../support/cfsctl-fixtures.js';
import { fxLarge, LayoutBuilder } from '../support/oci-fixtures.js';

/** What commands say of a disk that is read-only or full: all lines of the messages. `disk` is a tmpfs of its own. */

const skip =
  process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0 ? false : 'needs root, to mount disks';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());
const folder = fixtures.emptyDirectory();
mkdirSync(join(folder, 'disk'));
mkdirSync(join(folder, 'empty'));
new LayoutBuilder().addImage(fxLarge()).write(join(folder, 'layout'));

/** What each command says, on a disk that is prepared by a shell. */
function said(prepare: string, commands: readonly string[]): string[][] {
  const cfsctl = `'${process.execPath}' '${CFSCTL}'`;
  const script = [
    'cd "$1"',
    `c() { ${cfsctl} "$@" 2>&1 </dev/null; }`,
    `(${prepare}) >/dev/null || exit 1`,
    ...commands.map((command) => `echo "### ${command}"; c ${command} || true`),
  ].join('\n');
  const output = execFileSync('unshare', ['-m', 'sh', '-c', script, 'sh', folder], { encoding: 'utf8' });
  const blocks = output.replaceAll(folder, 'DIR').split(/^### /m).slice(1);
  return blocks.map((block) =>
    block
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && line !== 'Caused by:'),
  );
}

const READ_ONLY = `set -e; mount -t tmpfs none disk; c init --insecure disk/repo; c --repo disk/repo oci pull oci:layout app
mount -o remount,ro disk`;
const IN_DISK = '--repo disk/repo';
const NOT_WRITABLE = [
  'Error: Repository is not writable: read-only file system',
  'hint: the file system of DIR/disk/repo is mounted read-only',
];

test('a disk that is read-only is named, and what is on it can be read', { skip }, () => {
  const commands: readonly (readonly [string, ...string[]])[] = [
    [`${IN_DISK} oci pull oci:layout other`, ...NOT_WRITABLE],
    [`${IN_DISK} oci tag app other`, ...NOT_WRITABLE],
    [`${IN_DISK} oci untag app`, ...NOT_WRITABLE],
    [`${IN_DISK} gc`, ...NOT_WRITABLE],
    [`${IN_DISK} create-image empty name`, ...NOT_WRITABLE],
    [`${IN_DISK} oci prune --older-than 0s`, ...NOT_WRITABLE],
    [`${IN_DISK} oci ls app /usr/file_0.bin`, '/usr/file_0.bin'],
    [
      'init --insecure disk/new',
      'Error: Initializing repository at disk/new',
      "EROFS: read-only file system, mkdir 'DIR/disk/new'",
    ],
    [
      `${IN_DISK} oci extract app /usr disk/out`,
      'Error: Extracting "/usr"',
      "EROFS: read-only file system, mkdir 'disk/out'",
    ],
    [
      `${IN_DISK} oci export app tar:disk/out.tar`,
      'Error: Writing tar:disk/out.tar',
      "EROFS: read-only file system, open 'disk'",
    ],
    [
      `${IN_DISK} oci export app dir:disk/out`,
      'Error: Writing dir:disk/out',
      "EROFS: read-only file system, mkdir 'disk/out'",
    ],
  ];
  assert.deepEqual(
    said(
      READ_ONLY,
      commands.map(([command]) => command),
    ),
    commands,
  );
});

const FULL =
  'set -e; c init --insecure repo; c --repo repo oci pull oci:layout app; mount -t tmpfs -o size=4k none disk';
const NO_ROOM =
  'hint: the file system is full: make room on it (`cfsctl gc` removes what no tag needs), then try again';
const ENOSPC = 'ENOSPC: no space left on device, write';

test('a disk that is full is named', { skip }, () => {
  const commands: readonly (readonly [string, ...string[]])[] = [
    ['--repo repo oci extract app /usr disk/out', 'Error: Extracting "/usr/file_1.bin"', ENOSPC, NO_ROOM],
    ['--repo repo oci export app tar:disk/out.tar', 'Error: Writing tar:disk/out.tar', ENOSPC, NO_ROOM],
    ['--repo repo oci export --recompress=gzip app dir:disk/out', 'Error: Writing dir:disk/out', ENOSPC, NO_ROOM],
  ];
  assert.deepEqual(
    said(
      FULL,
      commands.map(([command]) => command),
    ),
    commands,
  );
});
