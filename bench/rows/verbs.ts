import { rmSync } from 'node:fs';
import { freshRepository, inTurns, type Line, measureVerb, type Row, withPulled } from '../bench.js';
import { measure } from '../measure.js';

/** What a short command takes, and the verbs that read an image. */
export const VERBS: readonly Row[] = [
  {
    name: 'start',
    measure: async (bench) => [
      {
        label: 'start of Node alone (`node -e 0`)',
        values: new Map(
          inTurns({ ...bench, programs: bench.programs.filter(({ isReference }) => !isReference) }, ({ command }) =>
            measure([command[0] ?? '', '-e', '0']),
          ),
        ),
      },
      {
        label: '`cfsctl --version`',
        values: inTurns(bench, ({ command }) => measure([...command, '--version'])),
      },
    ],
  },
  verb('compute-id', ['oci', 'compute-id', 'image'], 'CPU 3'),
  verb('dump', ['oci', 'dump', 'image'], 'CPU 3'),
  verb('gc --dry-run', ['gc', '--dry-run'], 'CPU 3'),
  verb('fsck', ['fsck'], 'wall 1.0'),
  {
    name: 'create-image',
    measure: async (bench) => {
      const values = inTurns(bench, (program) => {
        const repo = freshRepository(bench, program);
        try {
          const args = ['--insecure', '--repo', repo, 'create-image', '--no-propagate-usr-to-root', '/usr/share'];
          return measure([...program.command, ...args]);
        } finally {
          rmSync(repo, { recursive: true });
        }
      });
      return [{ label: 'create-image /usr/share', target: 'wall 0.8', values }];
    },
  },
];

function verb(name: string, args: readonly string[], target: string): Row {
  return {
    name,
    measure: async (bench) => {
      const image = await bench.images.named('python', 'gzip');
      return await withPulled(bench, image, (repositories): Line[] => [
        {
          label: `${args.join(' ').replace(' image', '')} of python`,
          target,
          values: measureVerb(bench, repositories, args),
        },
      ]);
    },
  };
}
