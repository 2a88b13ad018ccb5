import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { umount2 } from '../../src/linux/mount-api.js';
import { baseImageLayers } from '../support/base-image.js';
import { CFSCTL } from '../support/cfsctl.js';
import { describeDirectory } from '../support/describe-directory.js';
import { buildImage, fxLarge, fxOci, LayoutBuilder, type TestImage } from '../support/oci-fixtures.js';
import { withTempDir } from '../support/paths.js';
import { realImages, referenceCfsctl, runProgram } from '../support/programs.js';
import { repositoryLinks } from '../support/repository-links.js';
import { sha256 } from '../support/sha256.js';

/**
 * Ours and the reference on the same repositories, in both directions: what one makes the other must open, list, check,
 * dump, mount and collect, with the same digests.
 */

type Cfsctl = (...args: string[]) => Buffer;

const reference = referenceCfsctl();
const skip = reference === undefined ? 'cfsctl of composefs-rs is not installed (COMPOSEFS_RS_CFSCTL)' : false;
const isRoot = process.getuid?.() === 0;

const ours: Cfsctl = (...args) => runProgram(process.execPath, [CFSCTL, ...args]);
const theirs: Cfsctl = (...args) => runProgram(reference ?? '', args);

interface Case {
  readonly name: string;
  /** Writes a layout below a directory and returns the reference to pull. */
  readonly layout: (parent: string) => string;
}

function fixture(name: string, image: () => TestImage): Case {
  return {
    name,
    layout: (parent) => `oci:${new LayoutBuilder().addImage(image(), { tag: 'a' }).write(join(parent, 'layout'))}:a`,
  };
}

const fixtures: Case[] = [
  fixture('FX-OCI', () => fxOci()),
  fixture('FX-LARGE', () => fxLarge({ compression: 'zstd' })),
  fixture('base image', () => buildImage(baseImageLayers().map(({ tar }) => tar))),
];

/** Real images that the reference can pull: it refuses two that we accept (docs/open-points.md, "Tar and layers"). */
const REFUSED_BY_REFERENCE = ['tiny', 'churn'];
const images: Case[] = realImages()
  .filter(({ name }) => !REFUSED_BY_REFERENCE.includes(name))
  .map(({ name, path }) => ({ name: `real image ${name}`, layout: () => `oci:${path}:gzip` }));

/** What a program says about the image `test` of a repository. */
function observe(cfsctl: Cfsctl, repo: string): Record<string, string> {
  const run = (...args: string[]): string => cfsctl('--repo', repo, ...args).toString();
  const inspection = JSON.parse(run('oci', 'inspect', 'test')) as { config: string; composefs_erofs: string };
  const { rootfs } = JSON.parse(inspection.config) as { rootfs: { diff_ids: string[] } };
  const layers = [...new Set(rootfs.diff_ids)];
  return {
    images: run('oci', 'images'),
    json: run('oci', 'images', '--json'),
    inspect: run('oci', 'inspect', 'test'),
    linked: run('oci', 'linked-erofs-images', inspection.composefs_erofs),
    manifest: run('oci', 'inspect', 'test', '--manifest'),
    dump: sha256(Buffer.from(run('oci', 'dump', 'test'))),
    'dump, user xattrs': sha256(Buffer.from(run('oci', 'dump', 'test', '--xattrs', 'keep-user-xattrs'))),
    'compute-id': run('oci', 'compute-id', 'test'),
    'compute-id V1': run('--erofs-version', '1', 'oci', 'compute-id', 'test'),
    'compute-id V2': run('--erofs-version', '2', 'oci', 'compute-id', 'test'),
    objects: run('image-objects', inspection.composefs_erofs).split('\n').sort().join('\n'),
    'oci fsck': run('oci', 'fsck'),
    fsck: run('fsck', '--json'),
    gc: run('gc', '--dry-run'),
    ...Object.fromEntries(layers.map((diffId) => [`layer ${diffId}`, run('oci', 'layer', diffId, '--json')])),
    ...Object.fromEntries(
      layers.map((diffId) => [`tar ${diffId}`, `sha256:${sha256(cfsctl('--repo', repo, 'oci', 'layer', diffId))}`]),
    ),
  };
}

function mounted(cfsctl: Cfsctl, repo: string, mountPoint: string): string[] {
  cfsctl('--repo', repo, 'oci', 'mount', '--fuse=no', 'test', mountPoint);
  try {
    // Not all of the xattrs can be read: the kernel refuses the capability of the base image's symlink.
    return [...describeDirectory(mountPoint)].map((each) => JSON.stringify(each));
  } finally {
    umount2(mountPoint, 0);
  }
}

for (const each of [...fixtures, ...images]) {
  describe(`interop with the reference: ${each.name}`, { skip }, () => {
    for (const algorithm of ['sha256', 'sha512']) {
      for (const version of ['1', '2']) {
        test(`${algorithm}, V${version}: each reads what the other made, and both make the same`, () => {
          withTempDir((directory) => {
            const source = each.layout(directory);
            const makers = { ours, theirs };
            const repos = Object.entries(makers).map(([name, cfsctl]) => {
              const repo = join(directory, name);
              const init = ['--algorithm', `fsverity-${algorithm}-12`, '--erofs-version', version, '--insecure', repo];
              cfsctl('init', ...init);
              cfsctl('--repo', repo, 'oci', 'pull', source, 'test');
              return { repo, cfsctl };
            });
            const [first, second] = repos;
            assert.ok(first !== undefined && second !== undefined);
            assert.deepEqual(readFileSync(join(first.repo, 'meta.json')), readFileSync(join(second.repo, 'meta.json')));
            assert.deepEqual(repositoryLinks(first.repo), repositoryLinks(second.repo));
            // The reference leaves the streams that its own pull superseded; without them the objects are the same.
            for (const { repo, cfsctl } of repos) cfsctl('--repo', repo, 'gc');
            const observed = observe(ours, first.repo);
            for (const { repo } of repos) {
              assert.deepEqual(observe(ours, repo), observed);
              assert.deepEqual(observe(theirs, repo), observed);
            }
            for (const key of Object.keys(observed).filter((name) => name.startsWith('tar '))) {
              assert.equal(observed[key], key.slice('tar '.length));
            }
            if (isRoot) {
              const mountPoint = join(directory, 'mnt');
              mkdirSync(mountPoint);
              const expected = mounted(ours, first.repo, mountPoint);
              assert.ok(expected.length > 0);
              assert.deepEqual(mounted(theirs, first.repo, mountPoint), expected);
              assert.deepEqual(mounted(ours, second.repo, mountPoint), expected);
            }
            // Each collects what the other made.
            for (const [index, { repo }] of repos.entries()) {
              const other = index === 0 ? theirs : ours;
              other('--repo', repo, 'oci', 'untag', 'test');
              other('--repo', repo, 'gc');
              assert.deepEqual(
                readdirSync(join(repo, 'streams')).filter((name) => name !== 'refs'),
                [],
              );
              const objects = readdirSync(join(repo, 'objects'), { recursive: true, withFileTypes: true });
              assert.deepEqual(
                objects.filter((entry) => entry.isFile()),
                [],
              );
            }
          });
        });
      }
    }
  });
}
