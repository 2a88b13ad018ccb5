import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { mkcomposefs } from '../../src/cli/tools/mkcomposefs.js';
import { writeErofs } from '../../src/composefs/erofs/index.js';
import { HASH_ALGORITHMS } from '../../src/composefs/fsverity/algorithm.js';
import { computeVerity } from '../../src/composefs/fsverity/digest.js';
import { mapRegular } from '../../src/composefs/tree/walk.js';
import { parseDumpfile } from '../support/at-once.js';
import { withTempDir } from '../support/paths.js';
import { randomTree } from '../support/random-tree.js';
import { writeTree } from '../support/write-tree.js';

/**
 * Image ids of random directories against those of composefs-rs. `COMPOSEFS_RS_CFSCTL` is the path of its `cfsctl`;
 * `COMPOSEFS_TEST_INTEROP` the number of directories.
 */
const { COMPOSEFS_RS_CFSCTL, COMPOSEFS_TEST_INTEROP = '10' } = process.env;

const skip = skipReason();

function skipReason(): string | false {
  if (COMPOSEFS_RS_CFSCTL === undefined) return 'COMPOSEFS_RS_CFSCTL does not name the cfsctl of composefs-rs';
  return process.getuid?.() === 0 ? false : 'making device nodes needs root';
}

function cfsctl(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(COMPOSEFS_RS_CFSCTL ?? '', args, { maxBuffer: 2 ** 30 });
  assert.equal(status, 0, String(stderr));
  return String(stdout);
}

test('image ids are those of composefs-rs', { skip }, () => {
  const trees = randomTree({ inlineMax: 500, sparse: false, maxEntries: 60 });
  for (const random of fc.sample(trees, Number(COMPOSEFS_TEST_INTEROP))) {
    // Files of every size, with content: they become objects where they are larger than 64 bytes.
    const root = mapRegular(random, (file) => {
      return file.storage === 'inline'
        ? file
        : { storage: 'inline', data: Buffer.alloc(file.size % 20_000, 'content') };
    });
    withTempDir((path) => {
      writeTree(root, path, { algorithm: 'sha256', readObjectChunks: () => [] });
      for (const algorithm of HASH_ALGORITHMS) {
        const common = ['--no-repo', '--hash', algorithm];
        const dump = cfsctl(...common, 'create-dumpfile', '--no-propagate-usr-to-root', path);
        const tree = parseDumpfile(Buffer.from(dump), algorithm);
        for (const version of [0, 1, 2] as const) {
          const args = [
            ...common,
            '--erofs-version',
            String(version),
            'compute-id',
            '--no-propagate-usr-to-root',
            path,
          ];
          const id = computeVerity(algorithm, writeErofs(tree, { version, algorithm }));
          assert.equal(id, cfsctl(...args).trim(), `V${version}, ${algorithm}, of\n${dump}`);
        }
      }
    });
  }
});

test('mkcomposefs --hardlinks gives the images of composefs-rs', { skip }, () =>
  withTempDir(async (work) => {
    const source = join(work, 'source');
    mkdirSync(join(source, 'sub'), { recursive: true });
    for (const [name, size] of Object.entries({ empty: 0, small: 15, large: 100_000 })) {
      writeFileSync(join(source, name), Buffer.alloc(size, name));
      for (const link of [`0${name}`, `${name}2`, `sub/${name}`]) linkSync(join(source, name), join(source, link));
    }
    symlinkSync('small', join(source, 'link'));
    linkSync(join(source, 'link'), join(source, 'sub/link'));
    writeFileSync(join(source, 'single'), 'x');
    const [ours, theirs] = [join(work, 'ours'), join(work, 'theirs')];
    const others = [[], ['--use-epoch'], ['--min-version=1'], ['--skip-xattrs', '--use-epoch'], ['--threads=1']];
    for (const options of others) {
      const args = ['--hardlinks', ...options, source];
      cfsctl('mkcomposefs', ...args, theirs);
      await mkcomposefs([...args, ours]);
      assert.deepEqual(readFileSync(ours), readFileSync(theirs), options.join(' '));
    }
  }),
);
