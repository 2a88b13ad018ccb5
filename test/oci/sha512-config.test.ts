import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pull } from '../../src/oci/import/pull.js';
import { type OciDigest, parseOciDigest } from '../../src/oci/model/digest.js';
import { configIdentifier } from '../../src/oci/store/identifiers.js';
import { OciImage } from '../../src/oci/store/image.js';
import { buildImage, dataLayerTar, LayoutBuilder } from '../support/oci-fixtures.js';
import { externalObject, isSound, PULL, replaceObject, tempDir, tempRepository } from './oci-support.js';

/** A layout whose manifest names its config by SHA-512; `mark` makes several manifests of one config. */
function layoutWithSha512Config(t: TestContext, mark: string): { ref: string; configDigest: OciDigest } {
  const image = buildImage([dataLayerTar(3000)]);
  const { digest, size } = image.config.descriptor;
  const hex = createHash('sha512').update(image.config.bytes).digest('hex');
  const configDigest = parseOciDigest(`sha512:${hex}`);
  const edited = buildImage([dataLayerTar(3000)], {
    editManifest: (json) => {
      const text = json.toString().replace(`"${digest}","size":${size}`, `"${configDigest}","size":${size}`);
      return Buffer.from(text.replace(/\}$/, `,"annotations":{"mark":"${mark}"}}`));
    },
  });
  const path = new LayoutBuilder().addImage(edited).write(join(tempDir(t), 'layout'));
  mkdirSync(join(path, 'blobs/sha512'));
  writeFileSync(join(path, 'blobs/sha512', hex), image.config.bytes);
  return { ref: `oci:${path}`, configDigest };
}

test('a config is stored, shared and checked by the SHA-512 digest that its manifests name', async (t) => {
  const repo = await tempRepository(t);
  const { ref, configDigest } = layoutWithSha512Config(t, 'one');
  await pull(repo, ref, 'one', PULL);
  await pull(repo, layoutWithSha512Config(t, 'two').ref, 'two', { ...PULL, layerRules: 'reference' });
  const [one, two] = [OciImage.openRef(repo, 'one'), OciImage.openRef(repo, 'two')];
  assert.notEqual(one.manifestDigest, two.manifestDigest);
  assert.equal(one.configDigest, configDigest);
  assert.equal(repo.hasStream(configIdentifier(configDigest)), one.configVerity);
  assert.equal(two.configVerity, one.configVerity);
  assert.equal(await isSound(repo), true);
  await repo.gc({ threads: 0 });
  assert.equal(await isSound(repo), true);
  // A damaged one is found, and fetched again.
  replaceObject(repo, externalObject(repo, one.configVerity), '{}');
  assert.equal(await isSound(repo), false);
  await pull(repo, ref, 'one', PULL);
  assert.equal(await isSound(repo), true);
});
