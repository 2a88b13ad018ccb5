import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { ImageError } from '../../../src/composefs/tree/image-error.js';
import type { Directory } from '../../../src/composefs/tree/inode.js';
import { removeDevices, resetMtimes } from '../../../src/composefs/tree/walk.js';
import {
  isAllowedContainerXattr,
  type OciTransformOptions,
  parseXattrFiltering,
  transformForOci,
  XATTR_FILTERINGS,
} from '../../../src/oci/tree/transform.js';
import { parseDumpfile } from '../../support/at-once.js';
import { linesOf } from '../../support/dumpfiles.js';

function treeOf(lines: readonly string[]): Directory {
  return parseDumpfile(Buffer.from(lines.join('\n')), 'sha256');
}

function transformed(lines: readonly string[], options?: OciTransformOptions): string[] {
  const root = treeOf(lines);
  transformForOci(root, options);
  return linesOf(root);
}

const ROOT = '/ 0 40000 4 0 0 0 0.0 - - -';

test('the root takes over /usr, and /run is emptied and as old as /usr', () => {
  assert.deepEqual(
    transformed([
      ROOT,
      '/etc 0 40700 2 5 5 0 7.7 - - -',
      '/run 0 40711 3 8 9 0 99999.5 - - - security.capability=r',
      '/run/lock 0 40755 2 0 0 0 1.0 - - -',
      '/run/pid 1 100644 1 0 0 0 1.0 - x -',
      '/usr 0 40750 2 100 200 0 54321.9 - - - security.capability=c user.u=1',
    ]),
    [
      '/ 0 40750 5 100 200 0 54321.9 - - - security.capability=c',
      '/etc 0 40700 2 5 5 0 7.7 - - -',
      '/run 0 40711 2 8 9 0 54321.9 - - - security.capability=r',
      '/usr 0 40750 2 100 200 0 54321.9 - - - security.capability=c',
    ],
  );
});

test('xattrs: capabilities are kept, user.* where asked for, labels never', () => {
  const xattrs = 'security.capability=c security.selinux=l trusted.t=1 user.testattr=v userx=1';
  const lines = [
    ROOT,
    `/usr 0 40755 2 0 0 0 0.0 - - - security.selinux=l`,
    `/usr/foo 1 100755 2 0 0 0 0.0 - x - ${xattrs}`,
    '/usr/bar 0 @120000 - - - - 0.0 /usr/foo - -',
  ];
  const first = (options?: OciTransformOptions): string | undefined => transformed(lines, options)[2];
  assert.equal(first(), '/usr/bar 1 100755 2 0 0 0 0.0 - x - security.capability=c');
  assert.equal(first({ xattrs: 'allowlist-only' }), first());
  assert.equal(
    first({ xattrs: 'keep-user-xattrs' }),
    '/usr/bar 1 100755 2 0 0 0 0.0 - x - security.capability=c user.testattr=v',
  );
  assert.equal(transformed(lines)[0], '/ 0 40755 3 0 0 0 0.0 - - -');
  assert.equal(transformed(lines)[3], '/usr/foo 0 @120000 - - - - 0.0 /usr/bar - -');
});

test('hard links out of /run keep what is left of them', () => {
  const lines = transformed([
    ROOT,
    '/run 0 40755 2 0 0 0 0.0 - - -',
    '/run/a 1 100644 2 0 0 0 0.0 - x -',
    '/usr 0 40755 2 0 0 0 0.0 - - -',
    '/usr/a 0 @120000 - - - - 0.0 /run/a - -',
  ]);
  assert.equal(lines.at(-1), '/usr/a 1 100644 1 0 0 0 0.0 - x -');
});

test('an absent /run is fine', () => {
  assert.equal(transformed([ROOT, '/usr 0 40755 2 0 0 0 0.0 - - -']).length, 2);
});

test('without a directory /usr the root is 0755, of root, at the epoch; a /run that is none stays', () => {
  const link = (path: string): string => `${path} 1 120777 1 0 0 0 5.0 x - -`;
  const plain = '/ 0 40755 2 0 0 0 0.0 - - -';
  const file = '/hello 1 100644 1 3 4 0 5.5 - x -';
  assert.deepEqual(transformed([ROOT, file]), [plain, file]);
  assert.deepEqual(transformed([ROOT, link('/run'), link('/usr')]), [plain, link('/run'), link('/usr')]);
  assert.deepEqual(transformed([ROOT, '/run 0 40711 2 1 2 0 7.5 - - -', `/run/a${file.slice(6)}`]), [
    '/ 0 40755 3 0 0 0 0.0 - - -',
    '/run 0 40711 2 1 2 0 0.0 - - -',
  ]);
  const usr = '/usr 0 40750 2 0 0 0 7.0 - - -';
  assert.deepEqual(transformed([ROOT, link('/run'), usr]), ['/ 0 40750 3 0 0 0 7.0 - - -', link('/run'), usr]);
});

test('strictly, a missing /usr, and /usr or /run that are no directories, are errors', () => {
  const table: [string[], string, string][] = [
    [[], 'not-found', 'Directory entry "usr" does not exist'],
    [['/usr 1 120777 1 0 0 0 0.0 x - -'], 'not-a-directory', 'Directory entry "usr" is not a subdirectory'],
    [
      ['/run 1 120777 1 0 0 0 0.0 x - -', '/usr 0 40755 2 0 0 0 0.0 - - -'],
      'not-a-directory',
      'Directory entry "run" is not a subdirectory',
    ],
  ];
  for (const [lines, kind, message] of table) {
    assert.throws(
      () => transformed([ROOT, ...lines], { strict: true }),
      (error) => {
        assert(error instanceof ImageError);
        assert.deepEqual([error.kind, error.message], [kind, message]);
        return true;
      },
    );
  }
});

test('filterings are parsed by name', () => {
  for (const filtering of XATTR_FILTERINGS) assert.equal(parseXattrFiltering(filtering), filtering);
  assert.throws(() => parseXattrFiltering('bogus'), {
    message: 'invalid xattr filtering mode "bogus" (expected "allowlist-only" or "keep-user-xattrs")',
  });
  assert(isAllowedContainerXattr(byteStringFromText('security.capability')));
  assert(!isAllowedContainerXattr(byteStringFromText('user.a')));
});

test('mtimes can be reset and devices removed', () => {
  const root = treeOf([
    '/ 0 40755 2 0 0 0 5.5 - - -',
    '/b 0 60644 1 0 0 5 5.5 - - -',
    '/c 0 20644 1 0 0 5 5.5 - - -',
    '/d 0 40755 1 0 0 0 5.5 - - -',
    '/d/c 0 20644 1 0 0 0 5.5 - - -',
    '/p 0 10644 1 0 0 0 5.5 - - -',
  ]);
  resetMtimes(root);
  removeDevices(root);
  assert.deepEqual(linesOf(root), [
    '/ 0 40755 3 0 0 0 0.0 - - -',
    '/d 0 40755 2 0 0 0 0.0 - - -',
    '/p 0 10644 1 0 0 0 0.0 - - -',
  ]);
});
