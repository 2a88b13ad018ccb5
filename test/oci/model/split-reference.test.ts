import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  splitForSkopeo,
  splitLayoutReference,
  type TaggedPathTransport,
} from '../../../src/oci/model/split-reference.js';
import { withTempDir } from '../../support/paths.js';

test('a reference with several colons splits where a path is there', async () => {
  await withTempDir(async (root) => {
    for (const name of ['dir', 'with:colon', 'with:colon:two']) mkdirSync(join(root, name));
    for (const name of ['a.tar', 'b:c.tar']) writeFileSync(join(root, name), '');
    const cases: [transport: TaggedPathTransport, name: string, path: string, tag?: string][] = [
      ['oci', 'dir', 'dir'],
      ['oci', 'dir:v1', 'dir', 'v1'],
      ['oci', 'dir:', 'dir', ''],
      ['oci', 'dir:app:1.0', 'dir', 'app:1.0'],
      ['oci', 'dir:docker.io/library/app', 'dir', 'docker.io/library/app'],
      ['oci', 'dir:docker.io/library/app:1.0', 'dir', 'docker.io/library/app:1.0'],
      ['oci', 'dir:localhost:5000/app:1.0', 'dir', 'localhost:5000/app:1.0'],
      ['oci', 'with:colon', 'with:colon'],
      ['oci', 'with:colon:v1', 'with:colon', 'v1'],
      ['oci', 'with:colon:docker.io/app:1', 'with:colon', 'docker.io/app:1'],
      ['oci', 'with:colon:two', 'with:colon', 'two'],
      ['oci', 'with:colon:two:v1', 'with:colon:two', 'v1'],
      // Nothing of these is there: the rule of the specification.
      ['oci', 'none:docker.io/app:1', 'none:docker.io/app', '1'],
      ['oci', 'a.tar:v1', 'a.tar', 'v1'],
      ['oci-archive', 'a.tar', 'a.tar'],
      ['oci-archive', 'a.tar:docker.io/app:1', 'a.tar', 'docker.io/app:1'],
      ['oci-archive', 'b:c.tar', 'b:c.tar'],
      ['oci-archive', 'b:c.tar:app:1', 'b:c.tar', 'app:1'],
      ['oci-archive', 'none.tar:app:1', 'none.tar', 'app:1'],
      ['docker-archive', 'a.tar:@1', 'a.tar', '@1'],
      ['docker-archive', 'b:c.tar:app:1', 'b:c.tar', 'app:1'],
    ];
    for (const [transport, name, path, tag] of cases) {
      const expected = { path: join(root, path), ...(tag !== undefined && { tag }) };
      assert.deepEqual(splitLayoutReference(transport, join(root, name)), expected, name);
    }
    assert.deepEqual(splitLayoutReference('oci', `x${':'.repeat(100_000)}`).path, `x${':'.repeat(99_999)}`);
  });
});

test('what skopeo would read from another path is refused', async () => {
  await withTempDir(async (root) => {
    for (const name of ['dir', 'with:colon']) mkdirSync(join(root, name));
    assert.deepEqual(splitForSkopeo('oci', `${root}/dir:app:1`), { path: `${root}/dir`, tag: 'app:1' });
    assert.throws(() => splitForSkopeo('oci', `${root}/with:colon:app`), {
      code: 'INVALID_IMAGE_REFERENCE',
      message: `oci:${root}/with:colon:app means ${root}/with:colon here and ${root}/with for skopeo`,
    });
  });
});
