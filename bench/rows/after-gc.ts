import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { availableFileSystems, cannotMount, makeDisk, mountDisk, unmount } from '../../test/support/file-systems.js';
import { type Bench, freshRepository, inTurns, pullCommand, type Row } from '../bench.js';
import { fileLayer } from '../images.js';
import { type Measurement, measure } from '../measure.js';
import type { Program } from '../programs.js';

const GARBAGE = 100_000;
const DISK_MIB = 8 << 10;

/**
 * A pull into a repository on ext4 that has just lost many objects, on a file system in a file, which needs root. Without a
 * journal ext4 does not use inodes again that were deleted lately, and looks at each of them whenever it makes a file.
 */
export const AFTER_GC: readonly Row[] = [
  afterGc('ext4', [], '1.2 of the one before'),
  afterGc('ext4 without a journal', ['-O', '^has_journal']),
];

function afterGc(fileSystem: string, makeOptions: readonly string[], target?: string): Row {
  return {
    name: `pull after gc, ${fileSystem}`,
    measure: async (bench) => {
      const image = await bench.images.named('debian', 'gzip');
      const garbage = await bench.images.made('garbage', [fileLayer({ seed: 11, files: GARBAGE, size: () => 150 })]);
      const before = new Map<Program, Measurement>();
      const gc = new Map<Program, Measurement>();
      const after = inTurns({ ...bench, runs: 1 }, (program) =>
        onExt4(bench, makeOptions, (work) => {
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
        { label: `pull debian:gzip on ${fileSystem}`, values: before },
        { label: `gc of 100,000 objects on ${fileSystem}`, values: gc },
        {
          label: `pull debian:gzip on ${fileSystem}, right after that`,
          values: after,
          ...(target !== undefined && { target }),
        },
      ];
    },
  };
}

function onExt4<T>({ work }: Pick<Bench, 'work'>, makeOptions: readonly string[], action: (directory: string) => T): T {
  const ext4 = availableFileSystems().find(({ name }) => name === 'ext4');
  const reason = ext4 === undefined ? 'there is no ext4' : cannotMount();
  if (ext4 === undefined || reason !== undefined) throw new Error(`cannot mount ext4: ${reason}`);
  const [disk, directory] = [join(work, 'ext4.img'), join(work, 'ext4')];
  mkdirSync(directory);
  try {
    makeDisk(disk, { ...ext4, size: DISK_MIB, make: [...ext4.make, ...makeOptions] });
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
