import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullMessage } from '../../src/errors.js';
import { pull } from '../../src/oci/import/pull.js';
import { upgradeRepo } from '../../src/oci/import/upgrade.js';
import { OciImage } from '../../src/oci/store/image.js';
import { fxOci, spdxArtifact } from '../support/oci-fixtures.js';
import { isSound, layoutOf, PULL, tempRepository } from './oci-support.js';

/** FX-OCI's images in a sha512 repository (spec 70 G2). */
const ID_V1 =
  'd06f1f6a73f62ed48e05ce9442ff045cdf2a9f5ba1ec623795de3d6177a253d91076459795d94f55d8c3d71dab458bb3fc0071255a50c0a4896d86ffdc870b9a';
const ID_V2 =
  'f7684c21050615c02cec250e0c7d4118fb0ff6340af5039e06f2f372a7614fff25dfd38cf7f28ad67d8b86e86371b7deafa9ae4bf543630322aee6196417de92';

test('an upgrade builds the missing images of a new format, once, and leaves artifacts alone', async (t) => {
  const repo = await tempRepository(t);
  repo.setErofsVersion(2);
  await pull(repo, layoutOf(t, fxOci()), 'app', PULL);
  await pull(repo, layoutOf(t, spdxArtifact()), 'sbom', PULL);
  assert.equal(OciImage.openRef(repo, 'app').imageRef(2), ID_V2);
  assert.equal(OciImage.openRef(repo, 'app').imageRef(1), undefined);

  repo.setErofsVersion(1);
  assert.deepEqual(await upgradeRepo(repo), { alreadyCurrent: 0, upgraded: 1, skippedNonContainer: 1 });
  assert.equal(OciImage.openRef(repo, 'app').imageRef(1), ID_V1);
  assert.deepEqual(await upgradeRepo(repo), { alreadyCurrent: 1, upgraded: 0, skippedNonContainer: 1 });
  assert.ok(await isSound(repo));
});

test('an upgrade that is stopped says so', async (t) => {
  const repo = await tempRepository(t);
  repo.setErofsVersion(2);
  await pull(repo, layoutOf(t, fxOci()), 'app', PULL);
  repo.setErofsVersion(1);
  await assert.rejects(upgradeRepo(repo, { signal: AbortSignal.abort(new Error('stop')) }), (error) => {
    assert.equal(fullMessage(error), 'stop');
    return true;
  });
});
