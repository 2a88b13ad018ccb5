import { type Bench, fewRuns, inTurns, type Line, measurePull, measureVerb, type Row, withPulled } from '../bench.js';
import { fileLayer } from '../images.js';
import type { Measurement } from '../measure.js';
import type { Program } from '../programs.js';

/** What is left when the cost that does not depend on the image is taken away is what the inodes cost. */
const BASE = 100;
const SIZES = [10_000, 100_000];

/** How the cost of an inode grows with their number: one file in ten is an object, the others are in the image. */
export const SCALE: readonly Row[] = [
  scaleRow('cost per inode', SIZES),
  { ...scaleRow('1,000,000 inodes', [1_000_000]), isLarge: true },
];

const VERBS: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['compute-id', ['oci', 'compute-id', 'image']],
  ['dump', ['oci', 'dump', 'image']],
  ['fsck', ['fsck']],
  ['gc', ['gc', '--dry-run']],
];

function scaleRow(name: string, sizes: readonly number[]): Row {
  return {
    name,
    measure: async (bench) => {
      const few = fewRuns(bench);
      const base = await measureAll(few, BASE);
      const lines: Line[] = [];
      for (const size of sizes) {
        for (const [verb, values] of await measureAll(few, size)) {
          lines.push({
            label: `${verb}, ${size.toLocaleString('en')} inodes`,
            values: new Map(
              [...values].map(([program, value]) => [program, beyond(value, base.get(verb)?.get(program))]),
            ),
            show: ({ cpu, peakMiB }) => `${((cpu / size) * 1e6).toFixed(1)} µs, ${peakMiB.toFixed(0)} MiB`,
          });
        }
      }
      return lines.sort((a, b) => order(a) - order(b));
    },
  };
}

const NAMES = ['pull', ...VERBS.map(([name]) => name)];

/** By verb first; sorting keeps the order of sizes. */
function order({ label }: Line): number {
  return NAMES.indexOf(label.split(',')[0] ?? '');
}

function beyond(value: Measurement, base: Measurement | undefined): Measurement {
  return { ...value, cpu: value.cpu - (base?.cpu ?? 0) };
}

async function measureAll(bench: Bench, files: number): Promise<Map<string, Map<Program, Measurement>>> {
  const size = (file: number): number => (file % 10 === 0 ? 150 : 30);
  const image = await bench.images.made(`${files}-inodes`, [fileLayer({ seed: 12, files, size })]);
  const pulls = inTurns(bench, (program) => measurePull(bench, program, image));
  return await withPulled(bench, image, (repositories) => {
    const verbs = VERBS.map(([name, args]) => [name, measureVerb(bench, repositories, args)] as const);
    return new Map([['pull', pulls], ...verbs]);
  });
}
