import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pull } from '../../src/oci/import/pull.js';
import { sha256ContentDigest } from '../../src/oci/model/digest.js';
import { pushImage } from '../../src/oci/push/push-image.js';
import { OciImage } from '../../src/oci/store/image.js';
import { tagImage } from '../../src/oci/store/tags.js';
import { tempDir, tempRepository } from '../composefs/repository/temp-repository.js';
import { pullOptions, sizedImage } from '../oci/registry/registry-support.js';
import { blob, buildArtifact, buildImage, dataLayerTar, LayoutBuilder } from '../support/oci-fixtures.js';
import { startDockerRegistry, without } from '../support/servers.js';
import { skopeo } from '../support/skopeo.js';

/** What is pushed to Docker's registry is read by skopeo, which checks every digest. */

test('skopeo reads what was pushed to docker-registry', {
  skip: without('docker-registry', 'skopeo'),
}, async (context) => {
  const directory = tempDir(context);
  const server = await startDockerRegistry(join(directory, 'registry'));
  context.after(() => server.stop());
  const repo = await tempRepository(context, { algorithm: 'sha256' });
  const layout = new LayoutBuilder().addImage(sizedImage([3_000_000, 100])).write(join(directory, 'layout'));
  const { manifestDigest } = await pull(repo, `oci:${layout}`, 'a');
  const image = OciImage.open(repo, manifestDigest);
  const { registry } = pullOptions(context);
  for (const recompress of ['none', 'gzip', 'zstd'] as const) {
    const reference = `docker://${server.host}/team/app:${recompress}`;
    const pushed = await pushImage(repo, image, reference, { registry, recompress, chunkSize: 1_000_000 });
    const raw = await skopeo('inspect', '--raw', '--tls-verify=false', reference);
    assert.equal(sha256ContentDigest(Buffer.from(raw)), pushed.manifestDigest);
    const copy = join(directory, recompress);
    await skopeo('copy', '--quiet', '--src-tls-verify=false', '--preserve-digests', reference, `dir:${copy}`);
    assert.equal(sha256ContentDigest(readFileSync(join(copy, 'manifest.json'))), pushed.manifestDigest);
  }
  // Pulled from there, it is known to be there.
  const source = `docker://${server.host}/team/app:none`;
  const again = await pull(repo, source, source, { registry });
  await tagImage(repo, again.manifestDigest, source);
  const pushed = await pushImage(repo, OciImage.openRef(repo, source), `docker://${server.host}/other/app`, {
    registry,
  });
  assert.equal(pushed.manifestDigest, again.manifestDigest);
  assert.deepEqual(
    pushed.blobs.map(({ outcome }) => outcome),
    ['mounted', 'mounted', 'mounted'],
  );
});

test('what refers to an image is pushed to docker-registry under the tag where others look for it', {
  skip: without('docker-registry', 'skopeo'),
}, async (context) => {
  const directory = tempDir(context);
  const server = await startDockerRegistry(join(directory, 'registry'));
  context.after(() => server.stop());
  const repo = await tempRepository(context, { algorithm: 'sha256' });
  const original = buildImage([dataLayerTar(3000)], { compression: 'none' });
  const sbom = buildArtifact([blob('application/spdx+json', Buffer.from('{}'))], undefined, {
    artifactType: 'application/spdx+json',
    subject: original.manifest.descriptor,
  });
  const layout = new LayoutBuilder().addImage(original).addImage(sbom).write(join(directory, 'layout'));
  const { registry } = pullOptions(context);
  await pull(repo, `oci:${layout}`, 'a', { registry, referrers: true });
  const reference = `docker://${server.host}/team/app:1`;
  const pushed = await pushImage(repo, OciImage.openRef(repo, 'a'), reference, { registry, referrers: true });
  const { digest } = sbom.manifest.descriptor;
  assert.deepEqual(pushed.referrers, [digest]);
  const place = `docker://${server.host}/team/app`;
  const list = await skopeo(
    'inspect',
    '--raw',
    '--tls-verify=false',
    `${place}:${original.manifest.descriptor.digest.replace(':', '-')}`,
  );
  assert.deepEqual(
    JSON.parse(list).manifests.map((entry: { digest: string; artifactType: string }) => [
      entry.digest,
      entry.artifactType,
    ]),
    [[digest, 'application/spdx+json']],
  );
  const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `${place}@${digest}`);
  assert.equal(sha256ContentDigest(Buffer.from(raw)), digest);
  const again = await tempRepository(context, { algorithm: 'sha256' });
  assert.deepEqual((await pull(again, reference, 'b', { registry, referrers: true })).referrers, [digest]);
});
