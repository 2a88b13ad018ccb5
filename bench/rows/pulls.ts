import { TAR_BLOCK, tarDirectory, tarHeader } from '../../test/support/tar-builder.js';
import { fewRuns, inTurns, type Line, measurePull, measureVerb, type Row, withPulled } from '../bench.js';
import { fileLayer, type Layer } from '../images.js';

/** Pulls of images from layouts. */
export const PULLS: readonly Row[] = [
  pullOf('python', 'zstd', 'CPU 0.9 (Node 20: 1.1), wall 0.8'),
  pullOf('python', 'gzip', 'CPU 0.9 (Node 20: 1.1), wall 0.8'),
  pullOf('debian', 'plain', 'CPU 1.2 (Node 20: 1.5), wall 0.8'),
  pullOf('tiny', 'plain', '0.25 s wall, 0.3 s CPU'),
  {
    name: 'pull again, python:gzip',
    measure: async (bench) => {
      const image = await bench.images.named('python', 'gzip');
      return await withPulled(bench, image, (repositories): Line[] => [
        {
          label: 'pull python:gzip, again',
          target: '0.15 s wall',
          values: measureVerb(bench, repositories, ['oci', 'pull', image, 'image']),
        },
      ]);
    },
  },
  {
    name: 'pull 200 layers',
    measure: async (bench) => {
      const image = await bench.images.made('200-layers', smallLayers(200), 'gzip');
      const values = inTurns(bench, (program) => measurePull(bench, program, image));
      return [{ label: 'pull 200 layers of a few files', target: 'CPU 1.5', values }];
    },
  },
  manyFiles(300_000),
  { ...manyFiles(400_000), isLarge: true },
  {
    name: 'pull one file of 3 GB',
    isLarge: true,
    measure: async (bench) => {
      const image = await bench.images.made('3-gb', [zeros(3_000_000_000)], 'zstd');
      const values = inTurns(fewRuns(bench), (program) => measurePull(bench, program, image));
      return [{ label: 'pull one file of 3 GB', target: '200 MiB', values }];
    },
  },
];

function pullOf(name: 'python' | 'debian' | 'tiny', tag: 'plain' | 'gzip' | 'zstd', target: string): Row {
  return {
    name: `pull ${name}:${tag}`,
    measure: async (bench) => {
      const image = await bench.images.named(name, tag);
      const values = inTurns(bench, (program) => measurePull(bench, program, image));
      return [{ label: `pull ${name}:${tag}`, target, values }];
    },
  };
}

function manyFiles(files: number): Row {
  const name = `pull ${files.toLocaleString('en')} small files`;
  return {
    name,
    measure: async (bench) => {
      const layers = [fileLayer({ seed: 9, files, size: (file) => (file % 2 === 0 ? 6 : 84) })];
      const image = await bench.images.made(`${files}-files`, layers, 'gzip');
      const values = inTurns(fewRuns(bench), (program) => measurePull(bench, program, image));
      return [{ label: name, target: '300 MiB', values }];
    },
  };
}

/** Layers of 20 files, of which a third become objects. */
export function* smallLayers(layers: number, seed = 0): Generator<Layer> {
  const sizes = [0, 30, 64, 65, 500, 4096, 20, 12_000, 50];
  for (let layer = 0; layer < layers; layer++) {
    yield fileLayer({ seed: 1000 + seed + layer, files: 20, size: (file) => sizes[file % sizes.length] ?? 0 });
  }
}

function* zeros(size: number): Layer {
  yield tarDirectory('usr/');
  yield tarHeader({ name: 'usr/file', size });
  const piece = Buffer.alloc(1 << 20);
  for (let rest = size; rest > 0; rest -= piece.length) yield piece.subarray(0, rest);
  yield Buffer.alloc((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK);
}
