import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CFSCTL } from '../support/cfsctl.js';
import { describeDirectory } from '../support/describe-directory.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { withTempDir } from '../support/paths.js';
import { findInPath, realImages } from '../support/programs.js';
import { tarArchive, tarDirectory, tarFile, tarHardlink, tarSymlink } from '../support/tar-builder.js';
import { canonicalise, isCapability } from '../support/umoci.js';

/** `oci extract IMAGE /` writes what `umoci unpack` does, but for the documented rules (spec 30 §9). */

const NOBODY = 65534;

const skip =
  findInPath('umoci') === undefined
    ? 'umoci is not installed'
    : process.getuid?.() !== 0
      ? 'giving files to others needs root'
      : false;

/** Whoever is no root has its own files only, no capabilities and no devices. */
interface User {
  readonly id: number;
  readonly unpack: readonly string[];
}

const ROOT: User = { id: 0, unpack: ['unpack'] };
const ORDINARY: User = { id: NOBODY, unpack: ['unpack', '--rootless'] };

/** What is copied for an ordinary user should be. */
function isSmall(layout: string): boolean {
  const files = readdirSync(layout, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const sizes = files.map(({ parentPath, name }) => statSync(join(parentPath, name)).size);
  return sizes.reduce((sum, size) => sum + size, 0) < 16 * 1024 * 1024;
}

/** A layout that may be root's only. */
function readableCopy(layout: string, copy: string): string {
  cpSync(layout, copy, { recursive: true });
  for (const entry of readdirSync(copy, { recursive: true, withFileTypes: true })) {
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  }
  chmodSync(copy, 0o755);
  return copy;
}

function compare(source: string, tag: string, user: User): void {
  withTempDir((directory) => {
    chmodSync(directory, 0o755);
    const layout = user.id === 0 ? source : readableCopy(source, join(directory, 'layout'));
    const place = join(directory, 'place');
    mkdirSync(place, { mode: 0o777 });
    chmodSync(place, 0o777);
    const run = (program: string, ...args: string[]): void => {
      const { status, stderr } = spawnSync(program, args, {
        uid: user.id,
        gid: user.id,
        env: { ...process.env, HOME: place },
      });
      assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
    };
    const [bundle, repo, out] = ['bundle', 'repo', 'out'].map((name) => join(place, name));
    const cfsctl = (...args: string[]): void => run(process.execPath, CFSCTL, '--repo', `${repo}`, ...args);
    run('umoci', ...user.unpack, '--image', `${layout}:${tag}`, `${bundle}`);
    cfsctl('init', '--insecure');
    cfsctl('oci', 'pull', '--platform', 'linux/amd64', `oci:${layout}:${tag}`, 'test');
    cfsctl('oci', 'extract', 'test', '/', `${out}`);
    const keep = user.id === 0 ? isCapability : undefined;
    const expected = describeDirectory(join(`${bundle}`, 'rootfs'), keep);
    canonicalise(expected);
    const found = describeDirectory(`${out}`, keep);
    // For devices, which only root can make, umoci leaves empty files; we leave them out, and say so.
    for (const path of expected.keys()) {
      if (user.id !== 0 && path.startsWith('dev/') && !found.has(path)) expected.delete(path);
    }
    const differences = [...new Set([...expected.keys(), ...found.keys()])]
      .map((each) => [each, JSON.stringify(expected.get(each)), JSON.stringify(found.get(each))] as const)
      .filter(([, theirs, ours]) => theirs !== ours)
      .map(([each, theirs, ours]) => `${each}: umoci ${theirs}, extracted ${ours}`);
    assert.deepEqual(differences.slice(0, 10), []);
    assert.equal(found.size, expected.size);
    cfsctl('oci', 'fsck');
  });
}

const BIG = Buffer.alloc(100_000, 'big');
const LAYERS = [
  tarArchive([
    tarDirectory('usr/', { mtime: 1_000_000_000, mode: 0o755 }),
    tarDirectory('usr/closed/', { mtime: 1_111_111_111, mode: 0o500 }),
    tarFile('usr/closed/file', 'x', { mtime: 1_234_567_890, mode: 0o400 }),
    tarFile('usr/big', BIG, { mtime: 1_234_567_891, mode: 0o4755, uid: 5, gid: 6 }),
    tarHardlink('usr/same', 'usr/big'),
    tarSymlink('usr/link', 'big', { mtime: 1_000_000_001 }),
    tarFile('usr/gone', 'gone'),
    tarDirectory('run/'),
    tarFile('run/pid', '1'),
  ]),
  tarArchive([tarFile('usr/.wh.gone', ''), tarFile('usr/new', BIG, { mtime: 5 })]),
];

describe('oci extract writes what umoci unpacks', { skip }, () => {
  for (const [who, user] of [
    ['root', ROOT],
    ['an ordinary user', ORDINARY],
  ] as const) {
    test(`of a made image, as ${who}`, () => {
      withTempDir((directory) => {
        chmodSync(directory, 0o755);
        const layout = new LayoutBuilder().addImage(buildImage(LAYERS), { tag: 'v1' }).write(join(directory, 'layout'));
        compare(layout, 'v1', user);
      });
    });
    for (const { name, path } of realImages()) {
      if (user.id === 0 || isSmall(path)) test(`of ${name}, as ${who}`, () => compare(path, 'gzip', user));
    }
  }
});
