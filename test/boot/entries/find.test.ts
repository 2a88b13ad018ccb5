import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BootEntry, describeBootEntry, Type1Entry, Type2Entry } from '../../../src/boot/entries/boot-entry.js';
import { getBootResources } from '../../../src/boot/entries/find.js';
import { BootLoaderEntryFile } from '../../../src/boot/formats/bls.js';
import { type ByteString, byteStringFromText } from '../../../src/bytes/byte-string.js';
import { Directory, Leaf } from '../../../src/composefs/tree/inode.js';
import { DEFAULT_DIRECTORY_STAT } from '../../../src/composefs/tree/stat.js';
import { errorCode, fullMessage } from '../../../src/errors.js';
import { androidImage } from '../../support/android-builder.js';
import { errorOf } from '../../support/failures.js';
import { buildPe, buildUki } from '../../support/pe-builder.js';
import { inline, symlink, TestObjects, treeOf } from '../tree-support.js';

const objects = new TestObjects();
type Contents = Parameters<typeof treeOf>[0];

const find = (contents: Contents): BootEntry[] => getBootResources(treeOf(contents), objects);
const found = (contents: Contents): string[] => find(contents).map(describeBootEntry);

function refused(contents: Contents): string[] {
  const error = errorOf(() => find(contents));
  return [errorCode(error), fullMessage(error)];
}

const uki = inline(buildUki('quiet'));

test('all that an image has, in the order of the reference', () => {
  assert.deepEqual(
    found({
      'boot/loader/entries/b.conf': 'linux /k',
      'boot/loader/entries/a.conf': '',
      'boot/loader/entries/ignored.txt': '',
      'boot/loader/addons/x.addon.efi': uki,
      'boot/EFI/Linux/b.efi': uki,
      'boot/EFI/Linux/b.efi.extra.d/c.addon.efi': uki,
      'boot/EFI/Linux/a/d.efi': uki,
      'boot/EFI/Linux/README': 'x',
      'usr/lib/modules/6.1/vmlinuz': 'k',
      'usr/lib/modules/6.1/e.efi': uki,
      'usr/lib/modules/6.0/vmlinuz': 'k',
      'usr/lib/modules/link': symlink('6.0'),
      'usr/lib/modules/5.0': null,
      k: 'kernel',
    }),
    [
      'boot loader entry "a.conf"',
      'boot loader entry "b.conf"',
      'UKI "a/d.efi"',
      'UKI "b.efi"',
      'UKI addon "b.efi.extra.d/c.addon.efi"',
      'UKI addon "x.addon.efi"',
      'UKI "e.efi"',
      'kernel "6.0"',
      'kernel "6.1"',
    ],
  );
  assert.deepEqual(found({}), []);
});

test('UKIs and addons know where they were found', () => {
  const entries = find({
    'boot/EFI/Linux/a.efi.extra.d/b.addon.efi': uki,
    'boot/loader/addons/b.addon.efi': uki,
    'boot/loader/addons/c.efi': uki,
    'usr/lib/modules/6.1/d/e.addon.efi': uki,
  });
  assert.deepEqual(
    entries.map((entry) => entry.type === 'type2' && [entry.kver, entry.filePath, entry.peType]),
    [
      [undefined, 'a.efi.extra.d/b.addon.efi', 'ukiAddon'],
      [undefined, 'b.addon.efi', 'globalUkiAddon'],
      [undefined, 'c.efi', 'uki'],
      ['6.1', 'd/e.addon.efi', 'ukiAddon'],
    ],
  );
});

test('files of boot loader entries are found from the root of the image', () => {
  const [entry] = find({
    'boot/loader/entries/a.conf':
      'linux /boot/k\ninitrd /boot//i\ninitrd boot/./j\ninitrd /boot//i\ndevicetree /missing\n',
    'boot/k': 'k',
    'boot/i': 'i',
    'boot/j': 'j',
  });
  assert(entry instanceof Type1Entry);
  assert.deepEqual(
    [...entry.files],
    [
      ['/boot/k', inline('k')],
      ['/boot//i', inline('i')],
      ['boot/./j', inline('j')],
    ],
  );
});

const LEADING_NOWHERE: readonly [value: string, code: string, message: string][] = [
  ['/boot/../etc/shadow', 'INVALID_FILENAME', 'Invalid filename "/boot/../etc"'],
  ['../etc/shadow', 'INVALID_FILENAME', 'Invalid filename "../etc"'],
  ['/boot/..', 'INVALID_FILENAME', 'Invalid filename "/boot/.."'],
  ['/', 'INVALID_FILENAME', 'Invalid filename "/"'],
  ['/missing', 'ENTRY_NOT_FOUND', 'Directory entry "missing" does not exist'],
  ['/missing/k', 'ENTRY_NOT_FOUND', 'Directory entry "/missing" does not exist'],
  ['/boot/k ', 'ENTRY_NOT_FOUND', 'Directory entry "k " does not exist'],
  ['/boot', 'IS_A_DIRECTORY', 'Directory entry "boot" is a directory'],
  ['/link', 'NOT_A_REGULAR_FILE', 'Directory entry "link" is not a regular file'],
  ['/directory/k', 'NOT_A_DIRECTORY', 'Directory entry "directory" is not a subdirectory'],
  ['/boot/k/x', 'NOT_A_DIRECTORY', 'Directory entry "k" is not a subdirectory'],
  ['/null', 'NOT_A_REGULAR_FILE', 'Directory entry "null" is not a regular file'],
];

for (const [value, code, message] of LEADING_NOWHERE) {
  test(`an entry that names ${value} is refused`, () => {
    const actual = refused({
      'boot/loader/entries/a.conf': `title x\ninitrd ${value}\n`,
      'boot/k': 'k',
      link: symlink('boot/k'),
      directory: symlink('boot'),
      null: { type: 'character-device', rdev: 259 },
    });
    assert.deepEqual(actual, [code, `initrd of /boot/loader/entries/"a.conf": ${message}`]);
  });
}

test('what is no file where a file belongs is refused', () => {
  assert.deepEqual(refused({ 'boot/loader/entries/a.conf': null }), [
    'INVALID_BOOT_ENTRY',
    '/boot/loader/entries/"a.conf" is a directory',
  ]);
  assert.deepEqual(refused({ 'boot/loader/entries/a.conf': symlink('/etc/shadow') }), [
    'INVALID_BOOT_ENTRY',
    '/boot/loader/entries/"a.conf" is not a regular file',
  ]);
  assert.deepEqual(refused({ 'boot/loader/entries/a.conf': inline(Buffer.from([0x80])) }), [
    'INVALID_BOOT_ENTRY',
    '/boot/loader/entries/"a.conf" is not UTF-8',
  ]);
  assert.deepEqual(refused({ 'boot/loader/entries/a.conf': { storage: 'sparse', size: 2 ** 40 } }), [
    'INVALID_BOOT_ENTRY',
    '/boot/loader/entries/"a.conf" of 1099511627776 bytes is too large for a boot loader entry',
  ]);
  assert.deepEqual(refused({ 'boot/EFI/Linux/a.efi': symlink('b.efi') }), [
    'INVALID_BOOT_ENTRY',
    '"a.efi" is not a regular file',
  ]);
  assert.deepEqual(refused({ 'boot/loader': symlink('/etc') }), [
    'NOT_A_DIRECTORY',
    'Directory entry "loader" is not a subdirectory',
  ]);
  assert.deepEqual(found({ 'usr/lib/modules/1/vmlinuz': symlink('x'), 'usr/lib/modules/2/vmlinuz': null }), []);
  assert.deepEqual(refused({ 'usr/lib/modules/1/vmlinuz': 'k', 'usr/lib/modules/1/initramfs.img': symlink('x') }), [
    'NOT_A_REGULAR_FILE',
    'Directory entry "initramfs.img" is not a regular file',
  ]);
  const root = treeOf({ 'usr/lib/modules/x/vmlinuz': 'k' });
  const modules = root.lookup(byteStringFromText('usr'));
  assert(modules instanceof Directory);
  const bad = treeOf({ vmlinuz: 'k' });
  const lib = modules.lookup(byteStringFromText('lib'));
  assert(lib instanceof Directory);
  const inner = lib.lookup(byteStringFromText('modules'));
  assert(inner instanceof Directory);
  inner.insert('\xff' as ByteString, bad);
  assert.throws(() => getBootResources(root, objects), { code: 'INVALID_BOOT_ENTRY', message: /is not UTF-8$/ });
});

test('aboot payloads are alone, and what they should be', () => {
  const android = objects.add(androidImage({ kernel: 'k', ramdisk: 'r' }));
  const alone = find({
    'boot/aboot-6.1.img': android,
    'boot/vbmeta-6.1.img': 'v',
    'usr/lib/modules/6.1/aboot.img': 'x',
  });
  assert.deepEqual(
    { ...alone[0] },
    {
      type: 'aboot',
      kver: '6.1',
      encoding: 'androidV2',
      payload: { path: '/boot/aboot-6.1.img', file: android },
      vbmeta: { path: '/boot/vbmeta-6.1.img', file: inline('v') },
    },
  );
  const [ukiboot] = find({ 'boot/aboot-a.img': uki, 'boot/EFI/Linux/x.addon.efi': uki }).slice(-1);
  assert(ukiboot?.type === 'aboot' && ukiboot.encoding === 'uki');

  const message = (contents: Contents) => refused(contents)[1];
  assert.equal(message({ 'boot/aboot-.img': android }), 'aboot payload has no kernel version');
  assert.equal(message({ 'boot/aboot-1.img': null }), '/boot/"aboot-1.img" is a directory');
  assert.equal(message({ 'boot/aboot-1.img': symlink('x') }), '/boot/"aboot-1.img" is not a regular file');
  assert.equal(
    message({ 'boot/aboot-1.img': 'notpe' }),
    'Identifying aboot payload "/boot/aboot-1.img": Parsing aboot payload as UKI: UKI is not valid EFI executable',
  );
  assert.equal(
    message({ 'boot/aboot-1.img': inline(buildPe([{ name: '.linux', data: Buffer.from('k') }])) }),
    `Identifying aboot payload "/boot/aboot-1.img": Parsing aboot payload as UKI: UKI doesn't contain a '.initrd' section`,
  );
  assert.match(
    message({ 'boot/aboot-1.img': 'ANDROID!' }) ?? '',
    /^Identifying aboot payload "\/boot\/aboot-1.img": Parsing Android boot image: I\/O error/,
  );
  assert.equal(
    message({ 'boot/aboot-1.img': uki, 'boot/vbmeta-1.img': 'v' }),
    'ukiboot payload "/boot/aboot-1.img" must not have a vbmeta image',
  );
  assert.equal(
    message({ 'boot/vbmeta-1.img': 'v' }),
    'vbmeta image /boot/"vbmeta-1.img" has no matching aboot payload',
  );
  assert.equal(message({ 'boot/aboot-1.img': android, 'boot/aboot-2.img': android }), 'multiple aboot payloads found');
  for (const other of ['usr/lib/modules/6.1/vmlinuz', 'boot/EFI/Linux/a.efi']) {
    assert.equal(
      message({ 'boot/aboot-1.img': android, [other]: uki }),
      'aboot payload cannot be combined with other boot artifacts',
    );
  }
});

test('a kernel becomes an entry', () => {
  const [kernel] = find({
    'usr/lib/modules/6.9.0-arch1-1/vmlinuz': 'k',
    'usr/lib/modules/6.9.0-arch1-1/initramfs.img': 'i',
  });
  assert(kernel?.type === 'vmlinuz');
  const entry = kernel.intoType1();
  assert.deepEqual([...entry.files.keys()], ['/6.9.0-arch1-1/vmlinuz', '/6.9.0-arch1-1/initramfs.img']);
  assert.equal(entry.filename, '6.9.0-arch1-1.conf');
  assert.equal(kernel.intoType1('x').entry.getValue('linux'), '/x/vmlinuz');
  const [bare] = find({ 'usr/lib/modules/6.1/vmlinuz': 'k' });
  assert(bare?.type === 'vmlinuz');
  assert.throws(() => bare.intoType1(), {
    code: 'NO_INITRAMFS',
    message: 'kernel 6.1 has no initramfs.img in /usr/lib/modules/6.1',
  });
});

test('entries and UKIs are renamed', () => {
  const text = 'linux /boot/k\ninitrd /a/i\ninitrd plain\nefi /boot/k\n';
  const make = () =>
    new Type1Entry(byteStringFromText('a.conf'), new BootLoaderEntryFile(text), new Map([['/boot/k', inline('k')]]));
  const [plain, below] = [make(), make()];
  plain.relocate(undefined, 'id');
  assert.equal(plain.filename, 'id.conf');
  assert.equal(plain.entry.toString(), 'linux /id/k\ninitrd /id/i\ninitrd plain\nefi /id/k\n');
  assert.deepEqual([...plain.files.keys()], ['/id/k']);
  below.relocate('sub', 'id');
  assert.equal(below.entry.toString(), 'linux /sub/id/k\ninitrd /sub/id/i\ninitrd plain\nefi /sub/id/k\n');
  assert.deepEqual([...below.files.keys()], ['/id/k']);

  const image = new Type2Entry(undefined, byteStringFromText('a/b.efi'), uki, 'uki');
  image.rename('c.d');
  assert.equal(image.filePath, 'a/c.d.efi');
});

test('deep trees and a hundred thousand lines take little time', () => {
  const start = process.cpuUsage();
  const root = treeOf({ 'boot/loader/entries/a.conf': 'initrd /i\n'.repeat(100_000), i: 'i' });
  let directory = root.lookup(byteStringFromText('boot'));
  for (const name of ['EFI', 'Linux', ...new Array(20_000).fill('d')]) {
    assert(directory instanceof Directory);
    const child = new Directory(DEFAULT_DIRECTORY_STAT);
    directory.insert(byteStringFromText(name), child);
    directory = child;
  }
  assert(directory instanceof Directory);
  directory.insert(byteStringFromText('a.efi'), new Leaf(DEFAULT_DIRECTORY_STAT, { type: 'regular', file: uki }));
  const [entry, image] = getBootResources(root, objects);
  assert(entry?.type === 'type1' && image?.type === 'type2');
  assert.equal(entry.files.size, 1);
  assert.equal(image.filePath.length, 2 * 20_000 + 5);
  assert(process.cpuUsage(start).user < 3_000_000);
});
