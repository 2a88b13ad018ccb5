import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { type ObjectId, objectPathname } from '../../../src/composefs/fsverity/object-id.js';
import type { RegularFile } from '../../../src/composefs/tree/inode.js';
import { readFile, readFileChunks } from '../../../src/composefs/tree/read-file.js';
import { ComposefsError } from '../../../src/errors.js';

const CONTENT = Buffer.from('the content of a file in three pieces');
const ID = computeVerity('sha256', CONTENT);
const asked: ObjectId[] = [];
const OBJECTS = {
  algorithm: 'sha256' as const,
  *readObjectChunks(id: ObjectId) {
    asked.push(id);
    yield CONTENT.subarray(0, 10);
    yield CONTENT.subarray(10, 30);
    yield CONTENT.subarray(30);
  },
};

function external(size: number): RegularFile {
  return { storage: 'external', id: ID, size };
}

test('content comes out of the image, or of the object that the file names by digest or path', () => {
  assert.deepEqual(readFile({ storage: 'inline', data: Buffer.from('hi') }, OBJECTS), Buffer.from('hi'));
  assert.deepEqual(readFile({ storage: 'sparse', size: 2 ** 40 }, OBJECTS), Buffer.alloc(0));
  assert.deepEqual(asked, []);
  assert.deepEqual(readFile(external(CONTENT.length), OBJECTS), CONTENT);
  const payload = byteStringFromText(objectPathname(ID));
  assert.deepEqual(readFile({ storage: 'external-no-verity', payload, size: CONTENT.length }, OBJECTS), CONTENT);
  assert.deepEqual(asked, [ID, ID]);
});

test('an object that is longer or shorter than its file is refused; no byte beyond the size comes out', () => {
  for (const size of [0, 9, 10, 29, 36, 38, 2 ** 40]) {
    const read: Buffer[] = [];
    assert.throws(() => {
      for (const chunk of readFileChunks(external(size), OBJECTS)) read.push(chunk);
    }, new ComposefsError('WRONG_FILE_SIZE', "File content doesn't have the expected length"));
    assert.ok(Buffer.concat(read).length <= size, String(size));
  }
});
