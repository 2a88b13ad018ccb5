import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { ContentQueue } from '../../../src/composefs/scan/content-queue.js';
import type { ContentFailure } from '../../../src/composefs/scan/file-contents.js';
import { PendingFile } from '../../../src/composefs/scan/found-leaf.js';
import { ScanError, type ScanPlace } from '../../../src/composefs/scan/scan-error.js';
import { Directory } from '../../../src/composefs/tree/inode.js';
import { getFile } from '../../../src/composefs/tree/lookup.js';
import { DEFAULT_DIRECTORY_STAT, NO_XATTRS } from '../../../src/composefs/tree/stat.js';
import { ComposefsError, errorCode } from '../../../src/errors.js';
import { IDENTITY_WORDS } from '../../../src/linux/file-status.js';
import { packError } from '../../../src/threads/error-transfer.js';

const MIB = 1024 * 1024;
const b = byteStringFromText;

interface Files {
  readonly queue: ContentQueue;
  readonly root: Directory;
  readonly changed: PendingFile[];
}

/** A scan that finds files of these sizes one by one: `f00`, `f01`, …. */
function filesOf(sizes: readonly number[]): Files {
  const root = new Directory(DEFAULT_DIRECTORY_STAT);
  const place: ScanPlace = { name: b('/r'), path: b('/r'), parent: undefined, directory: root };
  const pending: PendingFile[] = [];
  const changed: PendingFile[] = [];
  const findNext = (): boolean => {
    const size = sizes[pending.length];
    if (size === undefined) return false;
    const name = b(`f${`${pending.length}`.padStart(2, '0')}`);
    const file = new PendingFile(place, name, size, new Uint32Array(IDENTITY_WORDS).fill(pending.length), 0);
    file.insert(DEFAULT_DIRECTORY_STAT, { type: 'regular', file: { storage: 'sparse', size } });
    pending.push(file);
    return true;
  };
  const files = { pending, withXattrs: true, findNext, readChanged: (file: PendingFile) => void changed.push(file) };
  return { queue: new ContentQueue(files), root, changed };
}

test('large files are put off, or taken first and alone; each file is taken once', () => {
  const { queue } = filesOf([10, 9 * MIB, 20, 10 * MIB, 30, 5 * MIB, 5 * MIB, 40, 11 * MIB]);
  const portion = { files: 256, bytes: 8 * MIB };
  const taken: (readonly number[] | undefined)[] = [];
  taken.push(queue.take(portion, false)?.places);
  taken.push(queue.take(portion, true)?.places);
  taken.push(queue.take(portion, true)?.places);
  assert.equal(queue.found, 7);
  taken.push(queue.take(portion, true)?.places);
  // The rest of the large ones is for everybody.
  taken.push(queue.take(portion, false)?.places);
  taken.push(queue.take(portion, false)?.places);
  assert.deepEqual(taken, [[0, 2, 4, 5, 6], [1], [3], [7], [8], undefined]);
});

test('portions get smaller at the end', () => {
  const { queue } = filesOf(new Array(1000).fill(100));
  while (queue.find());
  const sizes: number[] = [];
  const take = (): readonly number[] | undefined => queue.take({ files: 120, bytes: MIB }, true)?.places;
  for (let places = take(); places !== undefined; places = take()) sizes.push(places.length);
  assert.deepEqual(sizes, [120, 110, 97, 85, 74, 65, 64, 64, 64, 64, 64, 64, 64, 1]);
});

test('a job has the paths, sizes and identities of its files', () => {
  const { queue } = filesOf([100, 200]);
  const job = queue.take({ files: 256, bytes: MIB }, true)?.job;
  assert.deepEqual(job?.paths, ['/r/f00', '/r/f01']);
  assert.deepEqual([...(job?.sizes ?? [])], [100, 200]);
  assert.deepEqual(
    [...(job?.identities ?? [])],
    [...new Array(IDENTITY_WORDS).fill(0), ...new Array(IDENTITY_WORDS).fill(1)],
  );
  assert.equal(job?.withXattrs, true);
});

test('results go into the tree; what has changed is read again, the first failure is that of the scan', () => {
  const { queue, root, changed } = filesOf([100, 200, 300, 400]);
  const id = computeVerity('sha256', Buffer.alloc(100));
  const first = queue.take({ files: 2, bytes: MIB }, true);
  const second = queue.take({ files: 2, bytes: MIB }, true);
  assert.ok(first !== undefined && second !== undefined);
  const failure = (code: 'FILE_CHANGED' | 'EIO', storing: boolean): ContentFailure => ({
    error: packError(new ComposefsError(code, `it is ${code}`)),
    storing,
  });
  const xattrs = new Map([[b('user.a'), b('1')]]);
  queue.settle(second, {
    ids: [undefined, undefined],
    xattrs: new Map(),
    failures: new Map([
      [0, failure('EIO', true)],
      [1, failure('EIO', false)],
    ]),
  });
  queue.settle(first, {
    ids: [id, undefined],
    xattrs: new Map([[0, xattrs]]),
    failures: new Map([[1, failure('FILE_CHANGED', false)]]),
  });
  assert.deepEqual(getFile(root, b('f00')), { storage: 'external', id, size: 100 });
  assert.deepEqual(root.leafStat(b('f00')).xattrs, xattrs);
  assert.equal(root.leafStat(b('f01')).xattrs, NO_XATTRS);
  assert.throws(
    () => queue.finish((cause) => new ComposefsError('ENOSPC', 'the store is full', { cause })),
    (error) => error instanceof ScanError && error.path === '/r/f02' && errorCode(error) === 'ENOSPC',
  );
  assert.deepEqual(
    changed.map(({ path }) => path),
    ['/r/f01'],
  );
});
