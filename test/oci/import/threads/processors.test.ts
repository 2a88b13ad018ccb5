import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '../../../composefs/repository/temp-repository.js';
import { cfsctl, expectSuccess } from '../../../support/cfsctl.js';
import { filesBelow } from '../../../support/files-below.js';
import { buildImage, LayoutBuilder } from '../../../support/oci-fixtures.js';
import { Random } from '../../../support/random.js';
import { repositoryLinks } from '../../../support/repository-links.js';
import { tarArchive, tarFile } from '../../../support/tar-builder.js';

/** A layer of more than a small pull: some files larger than what is read at once, and many smaller ones. */
function layer(seed: number): Buffer {
  const random = new Random(seed);
  const files = [6 << 20, 3 << 20, 65537, 4097, 65, 64, 0, ...Array.from({ length: 400 }, () => random.below(20000))];
  return tarArchive(files.map((size, index) => tarFile(`layer-${seed}/${index}`, random.bytes(size))));
}

/** What Node is to take for the number of processors, in all threads of the programs that get this environment. */
function withProcessors(directory: string, count: number): { readonly NODE_OPTIONS: string } {
  const module = join(directory, `processors-${count}.cjs`);
  writeFileSync(module, `require('node:os').availableParallelism = () => ${count};\n`);
  return { NODE_OPTIONS: `--require ${module}` };
}

// With two processors one thread stores all layers; with more, others help with an image of few layers.
for (const [name, compression, layers] of [
  ['one plain layer', 'none', 1],
  ['two layers of gzip', 'gzip', 2],
  ['three layers of zstd', 'zstd', 3],
] as const) {
  test(`${name}: a pull stores the same with 1, 2, 4 and 16 processors`, (context) => {
    const directory = tempDir(context);
    const tars = Array.from({ length: layers }, (_, index) => layer(index + 1));
    const layout = join(directory, 'layout');
    new LayoutBuilder().addImage(buildImage(tars, { compression }), { tag: 'a' }).write(layout);
    const stored = [1, 2, 4, 16].map((count) => {
      const repo = join(directory, `repo-${count}`);
      const env = withProcessors(directory, count);
      expectSuccess(cfsctl(['--repo', repo, 'init', '--insecure'], { env }));
      expectSuccess(cfsctl(['--repo', repo, 'oci', 'pull', `oci:${layout}:a`, 'a'], { env }));
      assert.equal(
        expectSuccess(cfsctl(['--repo', repo, 'oci', 'fsck'], { env }))
          .split('\n')
          .at(-1),
        'oci images: 1/1 ok',
      );
      return { objects: filesBelow(join(repo, 'objects')), links: repositoryLinks(repo) };
    });
    for (const other of stored.slice(1)) assert.deepEqual(other, stored[0]);
    // Each file of more than 64 bytes, less those that happen to be as small; and config, manifest, layers, image.
    assert.ok((stored[0]?.objects.length ?? 0) > 350 * layers);
  });
}
