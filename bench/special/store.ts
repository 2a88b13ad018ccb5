import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Repository } from '../../src/composefs/repository/index.js';
import { pull } from '../../src/oci/import/pull.js';
import { AMD64, buildImage, LayoutBuilder } from '../../test/support/oci-fixtures.js';
import { commandPath } from '../../test/support/paths.js';
import { tarArchive, tarDirectory, tarFile } from '../../test/support/tar-builder.js';
import { xoshiroBytes } from '../../test/support/xoshiro.js';
import { measure, median } from '../measure.js';

/**
 * Makes a repository of many images that share layers, unless it is there, and times the verbs that only read.
 *
 *     node dist/bench/special/store.js DIR [IMAGES] [FILES]
 *
 * IMAGES (50) images of 4 layers: the first is one of 3 bases, the others are shared by about half of the images. FILES
 * (200) files of 512 bytes are in a layer, four times as many in a base; one of its own, with one file, is on top of each
 * image. 50 images of 8,000 files a layer make 500,000 objects, in some two minutes on a tmpfs, which needs 5 GB. Of 7 runs
 * of each verb the shortest and the median time are printed, and the median of the processor time.
 */

const [folder, imagesText = '50', filesText = '200'] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node dist/bench/special/store.js DIR [IMAGES] [FILES]');
const count = Number(imagesText);
const files = Number(filesText);
const path = join(folder, 'repo');

const FILE_SIZE = 512;
const FILES_A_DIRECTORY = 500;

function layer(seed: number, size: number): Buffer {
  const data = xoshiroBytes(FILE_SIZE * size, seed);
  const top = `usr/lib/${seed}/`;
  const entries = [tarDirectory('usr/'), tarDirectory('usr/lib/'), tarDirectory(top)];
  for (let index = 0; index < size; index++) {
    const directory = `${top}${Math.floor(index / FILES_A_DIRECTORY)}/`;
    if (index % FILES_A_DIRECTORY === 0) entries.push(tarDirectory(directory));
    entries.push(tarFile(directory + index, data.subarray(FILE_SIZE * index, FILE_SIZE * (index + 1))));
  }
  return tarArchive(entries);
}

async function makeStore(): Promise<void> {
  mkdirSync(path, { recursive: true });
  const { repo } = await Repository.init(path, { algorithm: 'sha256', insecure: true });
  const bases = [1, 2, 3].map((seed) => layer(seed, 4 * files));
  const shared = Array.from({ length: count }, (_, index) => layer(100 + index, files));
  const layout = join(folder ?? '', 'layout');
  const builder = new LayoutBuilder();
  for (let index = 0; index < count; index++) {
    const tars = [
      bases[index % bases.length],
      shared[index >> 1],
      shared[(index * 7) % count],
      layer(10_000 + index, 1),
    ];
    const image = buildImage(
      tars.flatMap((tar) => tar ?? []),
      { compression: 'none', config: { author: `image ${index}` } },
    );
    builder.addImage(image, { tag: `image-${index}` });
  }
  builder.write(layout);
  for (let index = 0; index < count; index++) {
    await pull(repo, `oci:${layout}:image-${index}`, `image-${index}`, { platform: AMD64 });
  }
  repo.close();
  rmSync(layout, { recursive: true });
}

function time(args: readonly string[]): { readonly min: number; readonly median: number; readonly cpu: number } {
  // `oci diff` ends with status 1 where there are differences.
  const command = ['sh', '-c', '"$0" "$@" > /dev/null || test $? = 1', process.execPath, commandPath('cfsctl')];
  const runs = Array.from({ length: 7 }, () => measure([...command, '--repo', path, ...args]));
  const { wall, cpu } = median(runs);
  return { min: Math.min(...runs.map((run) => run.wall)), median: wall, cpu };
}

if (!existsSync(path)) await makeStore();
const last = `image-${count - 1}`;
const verbs = [
  ['--version'],
  ['oci', 'images'],
  ['du'],
  ['du', '--json'],
  ['du', last],
  ['df'],
  ['why', last],
  ['oci', 'history', last],
  ['oci', 'diff', '--summary', 'image-0', last],
  ['oci', 'diff', last, last],
  ['oci', 'prune', '--older-than', '1w', '--dry-run'],
  ['gc', '--dry-run', '--json'],
];
for (const verb of verbs) {
  const { min, median: middle, cpu } = time(verb);
  const columns = [min, middle, cpu].map((seconds) => `${(1000 * seconds).toFixed(0)} ms`.padStart(9));
  console.log(`${verb.join(' ').padEnd(44)}${columns.join('')}`);
}
