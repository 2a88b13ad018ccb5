import { rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { ObjectId } from '../../src/composefs/fsverity/object-id.js';
import { Repository } from '../../src/composefs/repository/index.js';
import { loadZstdEncode } from '../../src/compression/zstd/encode.js';
import { importLayer } from '../../src/oci/import/layer/import-layer.js';
import { sha256ContentDigest } from '../../src/oci/model/digest.js';
import { parseManifest } from '../../src/oci/model/manifest.js';
import { manifestIdentifier } from '../../src/oci/store/identifiers.js';
import { linkImage } from '../../src/oci/store/link-image.js';
import { tagRef } from '../../src/oci/store/tags.js';
import { buildImage } from '../../test/support/oci-fixtures.js';
import { tarArchive, tarFile } from '../../test/support/tar-builder.js';
import { freshRepository, measureVerb, pullCommand, type Row } from '../bench.js';
import { measure } from '../measure.js';
import { smallLayers } from './pulls.js';

const LARGE_IMAGES = 50;
const TAGS = 1_001;

/** A repository with many tags. The images are pulled by the first program: all programs read the same repository. */
export const TAG_ROWS: readonly Row[] = [
  {
    name: 'oci images',
    measure: async (bench) => {
      const [program] = bench.programs;
      if (program === undefined) return [];
      const repo = freshRepository(bench, program);
      try {
        for (let image = 0; image < LARGE_IMAGES; image++) {
          const layout = await bench.images.made(`20-layers-${image}`, smallLayers(20, 10 * image));
          measure(pullCommand(program, repo, layout, `large-${image}`));
        }
        await storeMany(repo, TAGS - LARGE_IMAGES);
        const repositories = new Map(bench.programs.map((each) => [each, repo]));
        const values = measureVerb(bench, repositories, ['oci', 'images']);
        return [{ label: 'oci images, 1,001 tags, 50 of 20 layers', target: '0.3 s', values }];
      } finally {
        rmSync(repo, { recursive: true });
      }
    },
  },
];

/** Stores and tags images that share one layer and have a config each, without a pull, which would take ten times as long. */
async function storeMany(path: string, count: number): Promise<void> {
  await using repo = await Repository.open(path);
  const tar = tarArchive([tarFile('file', 'content')]);
  const diffId = sha256ContentDigest(tar);
  const { verity } = await importLayer(repo, diffId, undefined, Readable.from([tar]));
  const layers = new Map<string, ObjectId>([[diffId, verity]]);
  const encode = await loadZstdEncode();
  const unprepared = { others: new Set<never>(), usable: new Set<never>() };
  for (let index = 0; index < count; index++) {
    const image = buildImage([tar], { config: { author: `author ${index}` } });
    const content = {
      manifest: parseManifest(image.manifest.bytes),
      config: image.config.bytes,
      keys: [diffId],
      layers,
    };
    repo.linkStreams(linkImage(repo, unprepared, content, undefined, encode).names);
    repo.nameStream(manifestIdentifier(image.manifest.descriptor.digest), tagRef(`small-${index}`));
  }
  await repo.sync();
}
