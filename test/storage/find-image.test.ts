import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorCode } from '../../src/errors.js';
import { findImage } from '../../src/storage/find-image.js';
import { ContainerStore } from '../../src/storage/store.js';
import { withTempDir } from '../support/paths.js';
import { StoreBuilder } from '../support/store-builder.js';

const DIGEST = `sha256:${'d'.repeat(64)}`;
const LIST = `sha256:${'e'.repeat(64)}`;

const IMAGES = [
  { id: `abc${'0'.repeat(61)}`, names: ['localhost/app:v1'], digest: DIGEST, 'big-data-names': [`manifest-${LIST}`] },
  { id: `abd${'0'.repeat(61)}`, names: ['docker.io/library/alpine:latest', 'quay.io/team/alpine:3'] },
  { id: `fff${'0'.repeat(61)}`, names: ['quay.io/team/app:latest', `quay.io/team/old@${DIGEST}`] },
  { id: `eee${'0'.repeat(61)}`, names: ['localhost:5000/foo:latest'] },
  { id: `ddd${'0'.repeat(61)}`, names: ['registry.example/deep/er/tool:2'] },
  { id: `ccc${'0'.repeat(61)}`, names: null },
];

/** The first three digits of the id of what is found, or the code of the error. */
const CASES: readonly [wanted: string, found: string][] = [
  [`abc${'0'.repeat(61)}`, 'abc'],
  [`sha256:abc${'0'.repeat(61)}`, 'abc'],
  [`@abc${'0'.repeat(61)}`, 'abc'],
  ['localhost/app:v1', 'abc'],
  ['app:v1', 'abc'],
  // localhost/app has no tag latest.
  ['app', 'fff'],
  ['alpine', 'abd'],
  ['alpine:latest', 'abd'],
  ['docker.io/alpine', 'abd'],
  ['library/alpine', 'abd'],
  ['alpine:3', 'abd'],
  ['team/alpine:3', 'abd'],
  ['pine:3', 'IMAGE_NOT_IN_STORE'],
  ['alpine:4', 'IMAGE_NOT_IN_STORE'],
  ['abc', 'abc'],
  ['abd0', 'abd'],
  ['ab', 'IMAGE_NOT_IN_STORE'],
  ['abx', 'IMAGE_NOT_IN_STORE'],
  ['sha256:abd0', 'abd'],
  ['localhost:5000/foo', 'eee'],
  ['foo', 'eee'],
  ['tool:2', 'ddd'],
  ['er/tool:2', 'ddd'],
  ['deep/er/tool:2', 'ddd'],
  ['tool', 'IMAGE_NOT_IN_STORE'],
  ['ccc', 'ccc'],
  [DIGEST, 'abc'],
  [LIST, 'abc'],
  [`localhost/app@${DIGEST}`, 'abc'],
  [`app@${DIGEST}`, 'abc'],
  [`app:v1@${LIST}`, 'abc'],
  [`quay.io/team/old@${DIGEST}`, 'fff'],
  [`quay.io/team/other@${DIGEST}`, 'IMAGE_NOT_IN_STORE'],
  ['mine', 'fff'],
  ['.', 'IMAGE_NOT_IN_STORE'],
  ['..', 'IMAGE_NOT_IN_STORE'],
  ['../overlay', 'IMAGE_NOT_IN_STORE'],
];

test('images by id, name and digest', () => {
  withTempDir((dir) => {
    const builder = new StoreBuilder(join(dir, 'store'));
    builder.images.push(...IMAGES);
    builder.write();
    const store = new ContainerStore(builder);
    const shortNames = (name: string): string[] => (name === 'mine' ? ['quay.io/team/app'] : []);
    for (const [wanted, expected] of CASES) {
      let found: string;
      try {
        found = findImage([store], wanted, shortNames).record.id.slice(0, 3);
      } catch (error) {
        found = errorCode(error);
      }
      assert.equal(found, expected, wanted);
    }
    assert.equal(findImage([store], `app:v1@${LIST}`).manifestDigest, LIST);
    assert.equal(findImage([store], 'app:v1').manifestDigest, undefined);
    store.close();
  });
});

test('the beginning of several ids', () => {
  withTempDir((dir) => {
    const builder = new StoreBuilder(join(dir, 'store'));
    builder.images.push({ id: `abc0${'0'.repeat(60)}` }, { id: `abc1${'0'.repeat(60)}` });
    builder.write();
    const store = new ContainerStore(builder);
    assert.throws(() => findImage([store], 'abc'), {
      code: 'AMBIGUOUS_IMAGE',
      message: 'several images have an id that begins with abc',
    });
    assert.equal(findImage([store], 'abc1').record.id, `abc1${'0'.repeat(60)}`);
    store.close();
  });
});

test('one way of looking is tried in all stores before the next', () => {
  withTempDir((dir) => {
    const first = new StoreBuilder(join(dir, 'first'));
    first.images.push({ id: 'a', names: ['quay.io/x/app:1'] });
    first.write();
    const second = new StoreBuilder(join(dir, 'second'), 'vfs');
    second.images.push({ id: 'b', names: ['localhost/app:1'] });
    second.write();
    const stores = [new ContainerStore(first), new ContainerStore(second)];
    assert.equal(findImage(stores, 'app:1').record.id, 'b');
    assert.equal(findImage(stores, 'x/app:1').record.id, 'a');
    assert.throws(() => findImage(stores, 'none'), {
      message: 'Failed to find image none in any storage',
      hint: `looked into ${first.root}, ${second.root}: there are quay.io/x/app:1, localhost/app:1`,
    });
    const named = Array.from({ length: 7 }, (_, index) => ({ id: `${index}`, names: [`localhost/${index}:1`] }));
    for (const [images, end] of [
      [[{ id: 'c', names: null }], 'no image there has a name'],
      [named, `there are ${[0, 1, 2, 3, 4].map((index) => `localhost/${index}:1`).join(', ')} and 2 more`],
    ] as const) {
      first.images.splice(0, first.images.length, ...images);
      first.write();
      assert.throws(() => findImage(stores.slice(0, 1), 'none'), { hint: `looked into ${first.root}: ${end}` });
    }
    for (const store of stores) store.close();
  });
});
