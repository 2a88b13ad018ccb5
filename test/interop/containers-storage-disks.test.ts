import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cfsctl } from '../support/cfsctl.js';
import {
  availableFileSystems,
  cannotMount,
  type FileSystem,
  makeDisk,
  mountDisk,
  runTool,
  unmount,
} from '../support/file-systems.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { StoreBuilder } from '../support/store-builder.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';

/**
 * What an import out of a store costs on the disk, with file systems of their own: reflinks on XFS and btrfs, hard links
 * on ext4, copies from one to another.
 */

/** What the reference's tests have (spec 60 §12.5), and something that shows on the disk. */
const LARGE = 24 << 20;
const small = Array.from({ length: 5 }, (_, index) => tarFile(`usr/${index}`, Buffer.alloc(4096, index + 1)));
const TARS = [
  tarArchive([tarDirectory('usr/'), ...small, tarFile('usr/private', Buffer.alloc(4096, 6), { mode: 0o600 })]),
  tarArchive([tarDirectory('usr/'), tarFile('usr/large', Buffer.alloc(LARGE, 7))]),
];
const FILES = 7;
const BYTES = 6 * 4096 + LARGE;
const IMAGE = buildImage(TARS);

/** More than the metadata of an import takes, less than its data. */
const MUCH = 12 << 20;

interface Objects {
  readonly copied: number;
  readonly reflinked: number;
  readonly hardlinked: number;
  readonly already_present: number;
  readonly bytes_copied?: number;
  readonly bytes_reflinked?: number;
  readonly bytes_hardlinked?: number;
}

interface Import {
  readonly objects: Objects;
  readonly images: readonly string[];
  /** Bytes that the disk has more of. */
  readonly growth: number;
}

const MODES = [
  ['fsverity-sha512-12', 'auto'],
  ['fsverity-sha256-12', 'zerocopy'],
] as const;

const wanted = ['ext4', 'xfs', 'btrfs'];
const fileSystems = availableFileSystems();

function withDisks<T>(disks: readonly FileSystem[], action: (directories: string[]) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'cs-disks-'));
  const mounted: string[] = [];
  try {
    for (const [index, disk] of disks.entries()) {
      const directory = join(folder, `mount-${index}`);
      mkdirSync(directory);
      makeDisk(join(folder, `disk-${index}`), disk);
      mountDisk(join(folder, `disk-${index}`), directory);
      mounted.push(directory);
    }
    return action(mounted);
  } finally {
    for (const directory of mounted.reverse()) unmount(directory);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** On btrfs what was deleted, or written, counts after a sync only. */
function usedBytes(directory: string): number {
  runTool('sync', ['-f', directory]);
  const { blocks, bfree, bsize } = statfsSync(directory);
  return (blocks - bfree) * bsize;
}

function pull(repo: string, algorithm: string, reference: string, ...options: string[]): Import {
  const call = (...args: string[]): string => {
    const { status, stdout, stderr } = cfsctl(['--repo', repo, ...args]);
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  call('init', '--insecure', '--algorithm', algorithm);
  const before = usedBytes(join(repo, '..'));
  const result = JSON.parse(call('oci', 'pull', '--json', '--progress', 'none', ...options, reference, 'image'));
  const growth = usedBytes(join(repo, '..')) - before;
  assert.match(call('oci', 'fsck'), /status: ok/);
  return { objects: result.objects, images: result.images.map(({ id }: { id: string }) => id), growth };
}

interface Store {
  readonly reference: string;
  /** The large file as the store has it. */
  readonly file: string;
}

function addStore(directory: string): Store {
  const builder = new StoreBuilder(join(directory, 'store'));
  const layer = builder.addImage(IMAGE, TARS, ['localhost/app:1']).at(-1);
  return {
    reference: `containers-storage:[overlay@${builder.root}+${join(directory, 'run')}]localhost/app:1`,
    file: join(layer?.directory ?? '', 'usr', 'large'),
  };
}

/** `reflinked` or `hardlinked`: all of it, and nothing in another way. */
function assertAll(way: 'reflinked' | 'hardlinked' | 'copied', { objects }: Import): void {
  const expected = {
    copied: 0,
    reflinked: 0,
    hardlinked: 0,
    already_present: 0,
    bytes_copied: 0,
    bytes_reflinked: 0,
    bytes_hardlinked: 0,
    [way]: FILES,
    [`bytes_${way}`]: BYTES,
  };
  for (const [key, value] of Object.entries(expected)) assert.equal(objects[key as keyof Objects], value, key);
}

describe('imports out of a store, and the disk', { skip: cannotMount() ?? false }, () => {
  for (const name of wanted) {
    const disk = fileSystems.find((each) => each.name === name);
    const skip = disk === undefined ? `the kernel has no ${name}, or mkfs.${name} is not installed` : false;
    test(`of one file system, ${name}`, { skip }, () => {
      if (disk === undefined) return;
      const way = name === 'ext4' ? 'hardlinked' : 'reflinked';
      withDisks([disk], ([directory = '']) => {
        const { reference, file } = addStore(directory);
        const layout = new LayoutBuilder().addImage(IMAGE, { tag: 'a' }).write(join(directory, 'layout'));
        const repo = join(directory, 'repo');
        for (const [algorithm, mode] of MODES) {
          const copied = pull(repo, algorithm, `oci:${layout}:a`);
          assertAll('copied', copied);
          assert.ok(copied.growth >= LARGE, `${copied.growth} bytes for a copy`);
          rmSync(repo, { recursive: true });
          const imported = pull(repo, algorithm, reference, '--local-fetch', mode);
          assertAll(way, imported);
          assert.deepEqual(imported.images, copied.images);
          assert.ok(imported.growth < MUCH, `${imported.growth} bytes with ${mode}`);
          assert.equal(statSync(file).nlink, way === 'hardlinked' ? 2 : 1);
          rmSync(repo, { recursive: true });
          assert.equal(statSync(file).nlink, 1);
        }
      });
    });
  }

  test('of two file systems', { skip: fileSystems.length < 2 && 'there are not two file systems' }, () => {
    withDisks(fileSystems.slice(0, 2), ([one = '', other = '']) => {
      const { reference } = addStore(one);
      const repo = join(other, 'repo');
      const imported = pull(repo, 'fsverity-sha512-12', reference);
      assertAll('copied', imported);
      assert.ok(imported.growth >= LARGE, `${imported.growth} bytes`);
      rmSync(repo, { recursive: true });
      assert.equal(cfsctl(['--repo', repo, 'init', '--insecure']).status, 0);
      const refused = cfsctl(['--repo', repo, 'oci', 'pull', '--local-fetch', 'zerocopy', reference, 'image']);
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, /copy fallback is disabled \(zerocopy mode\)/);
    });
  });
});
