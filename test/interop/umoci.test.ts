import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { byteStringFrom, byteStringFromText, byteStringToText } from '../../src/bytes/byte-string.js';
import { umount2 } from '../../src/linux/mount-api.js';
import { readXattrs } from '../../src/linux/xattr.js';
import { CFSCTL } from '../support/cfsctl.js';
import { withTempDir } from '../support/paths.js';
import { findInPath, realImages, runProgram } from '../support/programs.js';

/** What we mount of an image is what umoci unpacks of it, but for the documented rules (spec 30 §9). */

const umoci = findInPath('umoci');
const images = realImages();
const skip =
  umoci === undefined
    ? 'umoci is not installed'
    : images.length === 0
      ? 'no real images (COMPOSEFS_TEST_IMAGES)'
      : process.getuid?.() !== 0
        ? 'mounting needs root'
        : false;

const CAPABILITY = byteStringFromText('security.capability');

/** Everything that a file system shows of a tree, by path; names are bytes. */
function describeTree(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const inodes = new Map<number, string>();
  const pending: Buffer[] = [Buffer.alloc(0)];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const full = Buffer.concat([Buffer.from(`${root}/`), path]);
    const stat = lstatSync(full, { bigint: true });
    const name = byteStringToText(byteStringFrom(path));
    if (stat.isDirectory()) {
      for (const entry of readdirSync(full, { encoding: 'buffer' })) {
        pending.push(path.length === 0 ? entry : Buffer.concat([path, Buffer.from('/'), entry]));
      }
    }
    const first = inodes.get(Number(stat.ino));
    if (first === undefined) inodes.set(Number(stat.ino), name);
    const capability = readXattrs(full).get(CAPABILITY) ?? '';
    found.set(
      name,
      JSON.stringify({
        mode: stat.mode.toString(8),
        owner: `${stat.uid}:${stat.gid}`,
        mtime: stat.mtimeNs.toString(),
        // Directories count differently: overlayfs shows 1.
        links: stat.isDirectory() ? undefined : stat.nlink.toString(),
        device: stat.isBlockDevice() || stat.isCharacterDevice() ? stat.rdev.toString() : undefined,
        target: stat.isSymbolicLink() ? readlinkSync(full, 'latin1') : undefined,
        content: stat.isFile() ? hashFile(full) : undefined,
        capability: Buffer.from(capability, 'latin1').toString('hex'),
      }),
    );
  }
  return found;
}

function hashFile(path: Buffer): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(1 << 20);
  const fd = openSync(path, 'r');
  try {
    for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, count));
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

/** Applies the documented rules to what umoci unpacked: root metadata from `/usr`, `/run` empty with its time. */
function canonicalise(tree: Map<string, string>): void {
  tree.set('', tree.get('usr') ?? '');
  const run = tree.get('run');
  if (run === undefined) return;
  const { mtime } = JSON.parse(tree.get('usr') ?? '{}') as { mtime: string };
  tree.set('run', JSON.stringify({ ...(JSON.parse(run) as object), mtime }));
  for (const path of [...tree.keys()].filter((each) => each.startsWith('run/'))) tree.delete(path);
}

describe('the mounted tree equals what umoci unpacks', { skip }, () => {
  for (const { name, path } of images) {
    test(name, () => {
      withTempDir((directory) => {
        const bundle = join(directory, 'bundle');
        runProgram('umoci', ['unpack', '--image', `${path}:gzip`, bundle]);
        const expected = describeTree(join(bundle, 'rootfs'));
        canonicalise(expected);

        const repo = join(directory, 'repo');
        const mountPoint = join(directory, 'mnt');
        mkdirSync(mountPoint);
        const cfsctl = (...args: string[]): Buffer => runProgram(process.execPath, [CFSCTL, '--repo', repo, ...args]);
        cfsctl('init', '--insecure');
        cfsctl('oci', 'pull', `oci:${path}:gzip`, 'test');
        cfsctl('oci', 'mount', '--fuse=no', 'test', mountPoint);
        try {
          const found = describeTree(mountPoint);
          const differences = [...new Set([...expected.keys(), ...found.keys()])]
            .filter((each) => expected.get(each) !== found.get(each))
            .map((each) => `${each}: umoci ${expected.get(each)}, mounted ${found.get(each)}`);
          assert.deepEqual(differences.slice(0, 10), []);
          assert.equal(found.size, expected.size);
        } finally {
          umount2(mountPoint, 0);
        }
      });
    });
  }
});
