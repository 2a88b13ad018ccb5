import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BootLoaderEntryFile } from '../../src/boot/formats/bls.js';
import { findQemu, listOnDisk, makeDisk, type Results, readFromDisk, runMachine } from './boot/machine.js';
import { findTool } from './boot/programs.js';
import { DATA, findRootTar, makeSystemImages, type SystemImages } from './boot/root-image.js';

/**
 * Boots a virtual machine from an image: pulled with --bootable into a repository with fs-verity, with the entry that
 * prepare-boot wrote. Takes some minutes, root, QEMU, mmdebstrap and a Debian mirror: `COMPOSEFS_TEST_VM=1`.
 *
 * `COMPOSEFS_TEST_VM_ROOT` names a root to take in place of a fresh one, `COMPOSEFS_TEST_QEMU` the emulator,
 * `COMPOSEFS_TEST_VM_LOG` a file that gets what the machines say on their consoles.
 */
const skip = reasonToSkip();
const work = skip === false ? mkdtempSync(join(tmpdir(), 'composefs-oci-test-boot-')) : '';
const log = process.env['COMPOSEFS_TEST_VM_LOG'] ?? join(work, 'console.log');
const disk = join(work, 'disk.img');
const REPOSITORY = '--repo /mnt/composefs';
/** What the machines of this test need on their command lines. */
const MACHINE = ['root=/dev/vda', 'rw', 'console=ttyS0', 'quiet', 'loglevel=4', 'no_timer_check', 'panic=-1'];

const qemu = findQemu() ?? '';
let system: SystemImages;

before(() => {
  if (skip !== false) return;
  system = makeSystemImages(findRootTar(), work);
  makeDisk(disk, '3G');
});
after(() => {
  if (work !== '') rmSync(work, { recursive: true, force: true });
});

test('an image is installed, and boots', { skip }, async () => {
  await install('v1', `cfsctl ${REPOSITORY} init`);
  assert.deepEqual(listOnDisk(disk, '/boot/loader/entries'), ['v1.conf']);
  const results = await boot('v1');
  check(results, 'v1', '');
  // The kernel has checked what was read.
  assert.match(results.get('root') ?? '', /^composefs:[0-9a-f]{128} \/ overlay ro,.*verity=require/);
  assert.equal(results.get('usr'), 'read-only');
  assert.equal(results.get('init'), 'systemd');
});

test('changes of /etc and /var are there after the next start', { skip }, async () => {
  check(await boot('v1'), 'v1', 'v1');
});

test('a second image boots, and has a state of its own', { skip }, async () => {
  // Whatever becomes of the tags, gc leaves what an entry names.
  await install('v2', `cfsctl ${REPOSITORY} oci untag v1`);
  assert.deepEqual(listOnDisk(disk, '/boot/loader/entries').sort(), ['v1.conf', 'v2.conf']);
  check(await boot('v2'), 'v2', '');
});

test('the first one still boots after the update, and a file of which a byte has changed cannot be read', {
  skip,
}, async () => {
  changeOneByte();
  const results = await boot('v1');
  check(results, 'v1', 'v1 v1', false);
  assert.match(results.get('unreadable data') ?? '', /Input\/output error/);
});

/** Pulls a version of the image and writes its entry, in a machine that has the disk beside its own. */
async function install(version: string, first = 'true'): Promise<void> {
  const args = MACHINE.map((argument) => `--cmdline=${argument}`).join(' ');
  const commands = `
${first}
cfsctl ${REPOSITORY} oci pull --bootable oci:/install/layout:${version} ${version}
mkdir -p /mnt/boot
cfsctl ${REPOSITORY} oci prepare-boot ${version} --bootdir /mnt/boot --entry-id ${version} ${args}
cfsctl ${REPOSITORY} gc
cfsctl ${REPOSITORY} images
cfsctl ${REPOSITORY} oci fsck
`;
  const results = await runMachine(qemu, {
    ...system,
    title: `installing ${version}`,
    cmdline: `root=/dev/vda ro console=ttyS0 quiet loglevel=4 no_timer_check panic=-1 init=/install/init.sh`,
    disks: [system.disk, disk, writeCommands(commands)],
    log,
    timeout: 1200,
  });
  assert.equal(results.get('installed'), '0');
}

/** Starts the machine as the boot loader would, from what the entry names. */
async function boot(version: string): Promise<Results> {
  const file = (path: string, to: string): string => {
    const target = join(work, to);
    readFromDisk(disk, path, target);
    return target;
  };
  const entry = new BootLoaderEntryFile(readFileSync(file(`/boot/loader/entries/${version}.conf`, 'entry'), 'utf8'));
  const value = (key: string): string => entry.getValue(key) ?? assert.fail(`the entry has no ${key}`);
  return runMachine(qemu, {
    title: `booting ${version}`,
    kernel: file(`/boot${value('linux')}`, 'kernel'),
    initrd: file(`/boot${value('initrd')}`, 'initrd'),
    cmdline: value('options'),
    disks: [disk],
    log,
  });
}

function check(results: Results, version: string, before: string, readable = true): void {
  assert.equal(results.get('version'), version);
  for (const place of ['/etc', '/var']) assert.equal(results.get(`before ${place}`), before);
  assert.equal(results.get('written'), '/var');
  assert.equal(results.get('sysroot'), 'boot composefs lost+found state');
  assert.equal(results.get('failed'), '0');
  assert(results.has('read other'));
  assert.equal(results.has('read data'), readable);
}

/** In the object of a file, where it lies on the disk. */
function changeOneByte(): void {
  const fd = openSync(disk, 'r+');
  try {
    const piece = Buffer.alloc(1 << 20);
    for (let at = 0; readSync(fd, piece, 0, piece.length, at) > 0; at += piece.length) {
      const found = piece.indexOf(DATA.subarray(0, 4096));
      if (found < 0) continue;
      writeSync(fd, 'X', at + found + 100);
      return;
    }
  } finally {
    closeSync(fd);
  }
  assert.fail('the data is not on the disk');
}

/** A disk whose content is a script. */
function writeCommands(text: string): string {
  const path = join(work, 'commands');
  writeFileSync(path, text.padEnd(Math.ceil(text.length / 512) * 512, '\n'));
  return path;
}

function reasonToSkip(): string | false {
  if (process.env['COMPOSEFS_TEST_VM'] !== '1')
    return 'boots virtual machines, which takes minutes (COMPOSEFS_TEST_VM=1)';
  if (process.getuid?.() !== 0) return 'making a root needs root';
  if (findQemu() === undefined) return 'QEMU is not installed (COMPOSEFS_TEST_QEMU)';
  const needed = [
    'mke2fs',
    'debugfs',
    'tar',
    'chroot',
    'unshare',
    ...(process.env['COMPOSEFS_TEST_VM_ROOT'] === undefined ? ['mmdebstrap'] : []),
  ];
  const missing = needed.filter((name) => findTool(name) === undefined);
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : false;
}
