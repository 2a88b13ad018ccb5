import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Repository } from '../../src/composefs/repository/index.js';
import { exportImage } from '../../src/oci/export/export-image.js';
import { pull } from '../../src/oci/import/pull.js';
import { sha256ContentDigest } from '../../src/oci/model/digest.js';
import { OciImage } from '../../src/oci/store/image.js';
import { tempDir, tempRepository } from '../composefs/repository/temp-repository.js';
import { baseImageLayers } from '../support/base-image.js';
import { buildImage, fxLarge, LayoutBuilder } from '../support/oci-fixtures.js';
import { realImages } from '../support/programs.js';
import { skopeo, withoutSkopeo } from '../support/skopeo.js';

/** What leaves a repository is read by skopeo, which checks every digest on the way. */

async function stored(repo: Repository, reference: string): Promise<OciImage> {
  const { manifestDigest } = await pull(repo, reference, 'a');
  return OciImage.open(repo, manifestDigest);
}

async function manifestOf(reference: string): Promise<string> {
  return sha256ContentDigest(Buffer.from(await skopeo('inspect', '--raw', reference)));
}

const cases = [
  { name: 'FX-LARGE', make: (path: string) => layout(path, fxLarge()) },
  { name: 'base image', make: (path: string) => layout(path, buildImage(baseImageLayers().map(({ tar }) => tar))) },
  ...realImages().map(({ name, path }) => ({ name: `real image ${name}`, make: () => `oci:${path}:gzip` })),
];

function layout(path: string, image: ReturnType<typeof buildImage>): string {
  return `oci:${new LayoutBuilder().addImage(image).write(path)}`;
}

for (const { name, make } of cases) {
  test(`skopeo reads what was exported: ${name}`, { skip: withoutSkopeo }, async (context) => {
    const directory = tempDir(context);
    const repo = await tempRepository(context, { algorithm: 'sha256' });
    const image = await stored(repo, make(join(directory, 'source')));
    for (const recompress of ['none', 'gzip', 'zstd'] as const) {
      const targets = {
        layout: `oci:${directory}/layout:${recompress}`,
        archive: `oci-archive:${directory}/${recompress}.tar:v1`,
        directory: `dir:${directory}/${recompress}`,
      };
      for (const [kind, target] of Object.entries(targets)) {
        const { manifestDigest } = await exportImage(repo, image, target, { recompress });
        assert.equal(await manifestOf(target), manifestDigest);
        const copy = join(directory, `copy-${recompress}-${kind}`);
        await skopeo('copy', '--quiet', '--preserve-digests', target, `dir:${copy}`);
        assert.equal(sha256ContentDigest(readFileSync(join(copy, 'manifest.json'))), manifestDigest);
      }
    }
    await exportImage(repo, image, `docker-archive:${directory}/docker.tar:app:v1`);
    const config = await skopeo('inspect', '--raw', '--config', `docker-archive:${directory}/docker.tar:app:v1`);
    assert.deepEqual(JSON.parse(config).rootfs.diff_ids, image.layerDiffIds());
    await skopeo('copy', '--quiet', `docker-archive:${directory}/docker.tar`, `dir:${directory}/docker`);
  });
}
