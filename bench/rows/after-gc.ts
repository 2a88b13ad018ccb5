import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { availableFileSystems, cannotMount, makeDisk, mountDisk, unmount } from '../../test/torture/file-systems.js';
import { type Bench, freshRepository, inTurns, pullCommand, type Row } from '../bench.js';
import { fileLayer } from '../images.js';
import { type Measurement, measure } from '../measure.js';
import type { Program } from '../programs.js';

const GARBAGE = 100_000;
const DISK_MIB = 8 << 10;

/**
 * A pull into a repository on ext4 that has just lost many objects: ext4 takes longer then to find free inodes. On a file
 * system in a file, which needs root.
 */
export const AFTER_GC: readonly Row[] = [
  {
    name: 'pull after gc',
    measure: async (bench) => {
      const image = await bench.images.named('debian', 'gzip');
      const garbage = await bench.images.made('garbage', [fileLayer({ seed: 11, files: GARBAGE, size: () => 150 })]);
      const before = new Map<Program, Measurement>();
      const gc = new Map<Program, Measurement>();
      const after = inTurns({ ...bench, runs: 1 }, (program) =>
        onExt4(bench, (work) => {
          const repo = freshRepository({ work }, program);
          const cfsctl = [...program.command, '--insecure', '--repo', repo];
          measure(pullCommand(program, repo, garbage, 'garbage'));
          before.set(program, measure(pullCommand(program, repo, image)));
          for (const name of ['image', 'garbage']) measure([...cfsctl, 'oci', 'untag', name]);
          gc.set(program, measure([...cfsctl, 'gc']));
          return measure(pullCommand(program, repo, image));
        }),
      );
      return [
        { label: 'pull debian:gzip on ext4', values: before },
        { label: 'gc of 100,000 objects on ext4', values: gc },
        { label: 'pull debian:gzip on ext4, right after that', target: '1.2 of the one before', values: after },
      ];
    },
  },
];

function onExt4<T>({ work }: Pick<Bench, 'work'>, action: (directory: string) => T): T {
  const ext4 = availableFileSystems().find(({ name }) => name === 'ext4');
  const reason = ext4 === undefined ? 'there is no ext4' : cannotMount();
  if (ext4 === undefined || reason !== undefined) throw new Error(`cannot mount ext4: ${reason}`);
  const [disk, directory] = [join(work, 'ext4.img'), join(work, 'ext4')];
  mkdirSync(directory);
  try {
    makeDisk(disk, { ...ext4, size: DISK_MIB });
    mountDisk(disk, directory);
    try {
      return action(directory);
    } finally {
      unmount(directory);
    }
  } finally {
    rmSync(disk, { force: true });
    rmSync(directory, { recursive: true });
  }
}
