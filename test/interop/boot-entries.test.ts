import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ComposefsCmdline } from '../../src/boot/cmdline/composefs-argument.js';
import { getBootResources } from '../../src/boot/entries/find.js';
import type { BootWriteOptions } from '../../src/boot/write/plan.js';
import { writeBootSimple } from '../../src/boot/write/write-entry.js';
import { parseObjectId } from '../../src/composefs/fsverity/object-id.js';
import { Repository } from '../../src/composefs/repository/repository.js';
import { createFilesystem } from '../../src/oci/layer/filesystem.js';
import { OciImage } from '../../src/oci/store/image.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { withTempDir } from '../support/paths.js';
import { buildUki } from '../support/pe-builder.js';
import { referenceCfsctl } from '../support/programs.js';
import { tarArchive, tarDirectory, tarFile, tarSymlink } from '../support/tar-builder.js';

/** What is written to /boot is, byte for byte, what `cfsctl oci prepare-boot` of composefs-rs writes. */

const reference = referenceCfsctl();
const skip = reference === undefined ? 'cfsctl of composefs-rs is not installed (COMPOSEFS_RS_CFSCTL)' : false;

type Files = Readonly<Record<string, string | Buffer>>;

interface Case {
  readonly name: string;
  /** What the image has, given the argument that names it. */
  readonly files: (karg: string) => Files;
  readonly options?: Omit<BootWriteOptions, 'karg'>;
  /** What the reference says if it refuses. Default: it writes. */
  readonly refused?: RegExp;
  /** What we say, if that is something else, or the reference would write. */
  readonly code?: string;
}

const KERNEL = Buffer.alloc(100_000, 'kernel ');
const INITRAMFS = Buffer.alloc(70_000, 'initramfs ');
const kernel = (kver: string): Files => ({
  [`usr/lib/modules/${kver}/vmlinuz`]: KERNEL,
  [`usr/lib/modules/${kver}/initramfs.img`]: INITRAMFS,
});
const bls = (...lines: string[]): Files => ({
  'boot/loader/entries/os.conf': lines.map((line) => `${line}\n`).join(''),
  'boot/vmlinuz-1': KERNEL,
  'boot/initrd-1': INITRAMFS,
  'boot/deep/dir/initrd-1': 'another',
});
const OS = ['title\tTest OS ', '# a comment', 'linux /boot/vmlinuz-1', 'initrd   /boot/initrd-1', 'options ro  quiet'];

const CASES: readonly Case[] = [
  { name: 'a kernel', files: () => kernel('6.9.0-arch1-1') },
  { name: 'a kernel by another name', files: () => kernel('6.9'), options: { entryId: 'my os' } },
  { name: 'arguments', files: () => kernel('6.9'), options: { cmdlineExtra: ['quiet', 'a="b c"', 'rw', 'ro', 'a=d'] } },
  { name: 'the first of two kernels', files: () => ({ ...kernel('6.9'), ...kernel('6.10') }) },
  {
    name: 'no initramfs',
    files: () => ({ 'usr/lib/modules/6.9/vmlinuz': KERNEL }),
    refused: /no initramfs/,
    code: 'NO_INITRAMFS',
  },
  { name: 'nothing', files: () => ({}), refused: /No boot entries!/, code: 'NO_BOOT_ENTRIES' },
  { name: 'a boot loader entry', files: () => bls(...OS) },
  {
    name: 'a boot loader entry by another name',
    files: () => bls(...OS),
    options: { entryId: 'x', cmdlineExtra: ['ro=1'] },
  },
  { name: 'an entry before a kernel', files: () => ({ ...kernel('1'), ...bls(...OS) }) },
  {
    name: 'an entry without options, with several files of one name',
    files: () =>
      bls(
        'initrd /boot/deep//dir/initrd-1',
        'initrd /boot/initrd-1',
        'linux /boot/vmlinuz-1',
        '',
        'efi\t/boot/vmlinuz-1',
      ),
    options: { entryId: 'x' },
  },
  { name: 'other paths', files: () => bls('linux //boot/./vmlinuz-1', 'initrd /boot/deep/dir/./initrd-1', 'options') },
  { name: 'an empty entry', files: () => bls() },
  { name: 'carriage returns', files: () => bls('title x\r', 'options quiet\r', 'options b') },
  { name: 'an argument for the image already', files: () => bls('options a composefs=b c composefs.digest=d e') },
  { name: 'quotes', files: () => bls('options a="b composefs.digest=1" "c d') },
  {
    name: 'a path that goes up',
    files: () => bls('linux /boot/../boot/vmlinuz-1'),
    refused: /Invalid filename/,
    code: 'INVALID_FILENAME',
  },
  {
    name: 'a dangling path',
    files: () => bls('linux /boot/missing'),
    refused: /does not exist/,
    code: 'ENTRY_NOT_FOUND',
  },
  {
    name: 'trailing white space',
    files: () => bls('linux /boot/vmlinuz-1 '),
    refused: /does not exist/,
    code: 'ENTRY_NOT_FOUND',
  },
  {
    name: 'a directory as kernel',
    files: () => bls('linux /boot/deep'),
    refused: /is a directory/,
    code: 'IS_A_DIRECTORY',
  },
  {
    name: 'no UTF-8',
    files: () => ({ 'boot/loader/entries/a.conf': Buffer.from([0xff]) }),
    refused: /invalid utf-8/,
    code: 'INVALID_BOOT_ENTRY',
  },
  {
    name: 'a relative path',
    files: () => ({ ...bls('linux kernel'), kernel: KERNEL }),
    refused: /./,
    code: 'INVALID_BOOT_ENTRY',
  },
  { name: 'a UKI', files: (karg) => ({ 'boot/EFI/Linux/test.efi': buildUki(`quiet ${karg} rw`) }) },
  {
    name: 'a UKI by another name',
    files: (karg) => ({ 'boot/EFI/Linux/test.efi': buildUki(karg) }),
    options: { entryId: 'x.y' },
  },
  {
    name: 'a UKI with addons',
    files: (karg) => ({
      'boot/EFI/Linux/test.efi': buildUki(karg),
      'boot/EFI/Linux/test.efi.extra.d/a.addon.efi': buildUki('debug'),
      'boot/loader/addons/b.addon.efi': buildUki('debug'),
    }),
  },
  {
    // It is part of the image, and so cannot name it.
    name: 'a UKI in the modules',
    files: (karg) => ({ 'usr/lib/modules/6.1/a.efi': buildUki(karg) }),
    refused: /wrong composefs digest/,
    code: 'WRONG_UKI_DIGEST',
  },
  {
    name: 'arguments for a UKI',
    files: (karg) => ({ 'boot/EFI/Linux/test.efi': buildUki(karg) }),
    options: { cmdlineExtra: ['a'] },
    refused: /Can't add --cmdline args to UKIs/,
    code: 'UKI_CMDLINE',
  },
  {
    name: 'a UKI for another image',
    files: (karg) => ({ 'boot/EFI/Linux/test.efi': buildUki(karg.replace(/[0-9a-f]{64}/, 'a'.repeat(64))) }),
    refused: /wrong composefs digest \(is 'sha256:a{64}', should be one of \[sha256:[0-9a-f]{64}\]\)/,
    code: 'WRONG_UKI_DIGEST',
  },
  {
    name: 'a UKI for no image',
    files: () => ({ 'boot/EFI/Linux/test.efi': buildUki('quiet') }),
    refused: /UKI .cmdline has no composefs karg \(composefs= or composefs.digest=\): "quiet"/,
    code: 'UKI_WITHOUT_KARG',
  },
  {
    name: 'a UKI whose command line ends with NUL',
    files: (karg) => ({ 'boot/EFI/Linux/test.efi': buildUki(`${karg}\0`) }),
    refused: /parsing/,
    code: 'INVALID_HEX',
  },
  {
    name: 'a UKI that is none',
    files: () => ({ 'boot/EFI/Linux/test.efi': 'text' }),
    refused: /UKI is not valid EFI executable|IO Error/,
    code: 'NOT_A_UKI',
  },
];

for (const { name, files, options = {}, refused, code } of CASES) {
  test(`${name}: the same on /boot as the reference`, { skip }, () =>
    withTempDir(async (dir) => {
      // What is in /boot is no part of the image that boots, so that a UKI can name it.
      const placeholder = join(dir, 'placeholder');
      store(placeholder, files(`composefs.digest=v1-sha256-12:${'0'.repeat(64)}`));
      const repository = join(dir, 'repository');
      store(repository, files(kargOf(placeholder).toCmdlineArg()));
      const karg = kargOf(repository);
      const [theirs, ours] = [join(dir, 'theirs'), join(dir, 'ours')];
      for (const directory of [theirs, ours]) mkdirSync(directory);

      const given = [...(options.entryId === undefined ? [] : ['--entry-id', options.entryId])];
      for (const argument of options.cmdlineExtra ?? []) given.push(`--cmdline=${argument}`);
      const result = run(repository, 'oci', 'prepare-boot', 'image', '--bootdir', theirs, ...given);
      if (refused === undefined) assert.equal(result.status, 0, result.stderr);
      else assert.match(result.stderr, refused);

      await using repo = await Repository.open(repository);
      const write = async () => {
        const root = await createFilesystem(repo, OciImage.openRef(repo, 'image').configDigest);
        const entries = getBootResources(root, repo.objects);
        return writeBootSimple(repo.objects, entries, ours, { ...options, karg });
      };
      if (code !== undefined) await assert.rejects(write, { code });
      else await write();
      assert.deepEqual(describe(ours), code === undefined ? describe(theirs) : {});
    }),
  );
}

/** What boots the image; nothing real where it cannot be made bootable. */
function kargOf(repository: string): ComposefsCmdline {
  const { status, stdout } = run(repository, 'oci', 'compute-id', 'image', '--bootable');
  return new ComposefsCmdline(
    1,
    'sha256',
    parseObjectId('sha256', status === 0 ? stdout.trim() : '0'.repeat(64)),
    true,
  );
}

/** A repository of the reference with an image of these files. */
function store(repository: string, files: Files): void {
  const directories = new Set(['usr/', 'boot/', 'sysroot/']);
  for (const path of Object.keys(files)) {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      directories.add(path.slice(0, slash + 1));
    }
  }
  const tar = tarArchive([
    ...[...directories].sort().map((path) => tarDirectory(path, { mtime: 5 })),
    ...Object.entries(files).map(([path, data]) => tarFile(path, data, { mtime: 6 })),
    tarSymlink('bin', 'usr/bin'),
  ]);
  const layout = `${repository}.layout`;
  new LayoutBuilder().addImage(buildImage([tar]), { tag: 'image' }).write(layout);
  run(repository, 'init', '--insecure', '--algorithm', 'fsverity-sha256-12');
  run(repository, 'oci', 'pull', `oci:${layout}:image`, 'image');
}

function run(repository: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(reference ?? '', ['--repo', repository, ...args], {
    encoding: 'utf8',
    env: { ...process.env, RUST_BACKTRACE: '0' },
  });
  return { status, stdout, stderr };
}

/** Modes and contents by path. */
function describe(directory: string): Record<string, string> {
  const result: Record<string, string> = {};
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(directory, name);
    const stat = lstatSync(path);
    const mode = stat.mode.toString(8);
    result[name] = stat.isFile() ? `${mode} ${readFileSync(path, 'latin1')}` : mode;
  }
  return result;
}
