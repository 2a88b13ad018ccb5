import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { umount2 } from '../../src/linux/mount-api.js';
import { CFSCTL } from '../support/cfsctl.js';
import { describeDirectory } from '../support/describe-directory.js';
import { withTempDir } from '../support/paths.js';
import { findInPath, realImages, runProgram } from '../support/programs.js';
import { canonicalise, isCapability } from '../support/umoci.js';

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

describe('the mounted tree equals what umoci unpacks', { skip }, () => {
  for (const { name, path } of images) {
    test(name, () => {
      withTempDir((directory) => {
        const bundle = join(directory, 'bundle');
        runProgram('umoci', ['unpack', '--image', `${path}:gzip`, bundle]);
        const expected = describeDirectory(join(bundle, 'rootfs'), isCapability);
        canonicalise(expected);

        const repo = join(directory, 'repo');
        const mountPoint = join(directory, 'mnt');
        mkdirSync(mountPoint);
        const cfsctl = (...args: string[]): Buffer => runProgram(process.execPath, [CFSCTL, '--repo', repo, ...args]);
        cfsctl('init', '--insecure');
        cfsctl('oci', 'pull', `oci:${path}:gzip`, 'test');
        cfsctl('oci', 'mount', '--fuse=no', 'test', mountPoint);
        try {
          const found = describeDirectory(mountPoint, isCapability);
          const differences = [...new Set([...expected.keys(), ...found.keys()])]
            .map((each) => [each, JSON.stringify(expected.get(each)), JSON.stringify(found.get(each))] as const)
            .filter(([, unpacked, mounted]) => unpacked !== mounted)
            .map(([each, unpacked, mounted]) => `${each}: umoci ${unpacked}, mounted ${mounted}`);
          assert.deepEqual(differences.slice(0, 10), []);
          assert.equal(found.size, expected.size);
        } finally {
          umount2(mountPoint, 0);
        }
      });
    });
  }
});
