import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FormatVersion, writeErofs } from '../../src/composefs/erofs/index.js';
import { parseCDumpfile } from '../../src/composefs/mkcomposefs/c-parser.js';
import type { Directory } from '../../src/composefs/tree/inode.js';
import { noCTools, runCTool } from '../support/c-tools.js';
import { dumpOf } from '../support/dumpfiles.js';
import { randomTree } from '../support/random-tree.js';

/**
 * Images against those of the C tool. `COMPOSEFS_TEST_INTEROP` is the number of trees.
 */
const { COMPOSEFS_TEST_INTEROP = '25', COMPOSEFS_TEST_SEED } = process.env;
const TREES = Number(COMPOSEFS_TEST_INTEROP);
const skip = noCTools();

/** The version limits that force a version. */
const LIMITS = { 0: ['--min-version=0', '--max-version=0'], 1: ['--min-version=1', '--max-version=1'] } as const;

function imageOfC(dump: string, version: 0 | 1): Buffer {
  const { status, stdout, stderr } = runCTool('mkcomposefs', [...LIMITS[version], '--from-file', '-', '-'], {
    input: dump,
  });
  assert.equal(status, 0, `${stderr}\n${dump}`);
  return stdout;
}

function sample(trees: fc.Arbitrary<Directory>): Directory[] {
  const seed = COMPOSEFS_TEST_SEED === undefined ? {} : { seed: Number(COMPOSEFS_TEST_SEED) };
  return fc.sample(trees, { numRuns: TREES, ...seed });
}

/** Files without digest, without path, and with paths that are not those of their digests. */
function withOddObjects(dump: string): string {
  return dump
    .split('\n')
    .map((line) => {
      const fields = line.split(' ');
      const size = Number(fields[1]);
      if (!/^[0-9a-f]{64}$/.test(fields[10] ?? '')) return line;
      if (size % 3 === 0) fields[10] = '-';
      if (size % 4 === 1) fields[8] = size % 8 === 1 ? '-' : '/some/where.file';
      return fields.join(' ');
    })
    .join('\n');
}

const VERSIONS = [0, 1] as const satisfies FormatVersion[];

test('images with the C behaviour are those of mkcomposefs', { skip }, () => {
  const everything = {
    noVerity: true,
    negativeMtime: true,
    overlayXattrs: true,
    inlineMax: 5000,
    targetMax: 4095,
    maxEntries: 60,
  };
  for (const root of sample(randomTree({ ...everything, sizeMax: 2 ** 53 - 1 }))) {
    const dump = withOddObjects(dumpOf(root));
    const parsed = parseCDumpfile(Buffer.from(dump));
    for (const version of VERSIONS) {
      const image = writeErofs(parsed, { version, algorithm: 'sha256', dialect: 'mkcomposefs' });
      assert.ok(image.equals(imageOfC(dump, version)), `V${version} of\n${dump}`);
    }
  }
});

test('images of trees without what the two implementations disagree on are those of mkcomposefs', { skip }, () => {
  for (const root of sample(randomTree({ overlayXattrs: true, maxEntries: 60 }))) {
    const dump = dumpOf(root);
    for (const version of VERSIONS) {
      const image = writeErofs(root, { version, algorithm: 'sha256' });
      assert.ok(image.equals(imageOfC(dump, version)), `V${version} of\n${dump}`);
    }
  }
});

test('xattrs are shared up to the same number as in C', { skip }, () => {
  const xattrs = Array.from({ length: 140 }, (_, n) => `user.${String(n).padStart(3, '0')}=v`).join(' ');
  const lines = [
    '/ 0 40755 2 0 0 0 0.0 - - -',
    ...['a', 'b'].map((name) => `/${name} 1 100644 1 0 0 0 0.0 - x - ${xattrs}`),
  ];
  const dump = `${lines.join('\n')}\n`;
  const root = parseCDumpfile(Buffer.from(dump));
  for (const version of VERSIONS) {
    assert.ok(
      writeErofs(root, { version, algorithm: 'sha256', dialect: 'mkcomposefs' }).equals(imageOfC(dump, version)),
    );
  }
});
