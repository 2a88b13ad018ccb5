import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cannotMount, clearMounts, isMounted } from '../fuse/fuse-support.js';
import { type CommandResult, cfsctl, startCfsctl, TestRepository } from '../support/cfsctl.js';
import { withTempDir } from '../support/paths.js';
import { until } from '../support/until.js';

interface Fixture {
  readonly repo: string;
  readonly mountPoint: string;
  readonly mount: (...options: readonly string[]) => readonly string[];
}

async function withImage(action: (fixture: Fixture) => Promise<void> | void): Promise<void> {
  await withTempDir(async (directory) => {
    const source = join(directory, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'x'.repeat(600));
    const repo = TestRepository.create(directory, '--erofs-version', '1').path;
    succeed(cfsctl(['--repo', repo, 'create-image', '--no-propagate-usr-to-root', source, 'app']));
    const mountPoint = join(directory, 'mount');
    mkdirSync(mountPoint);
    try {
      await action({
        repo,
        mountPoint,
        mount: (...options) => ['--repo', repo, 'mount', ...options, 'app', mountPoint],
      });
    } finally {
      clearMounts(mountPoint);
    }
  });
}

function succeed({ status, stderr }: CommandResult): void {
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
}

test(
  'CLI-513 mount --fuse yes: contents, and the dumpfile of the mount is that of the image',
  { skip: cannotMount },
  () =>
    withImage(({ repo, mountPoint, mount }) => {
      for (const option of [['--fuse', 'yes'], ['--fuse=yes', '--verify'], ['--verify']]) {
        succeed(cfsctl(mount(...option)));
        assert.equal(readFileSync(join(mountPoint, 'file'), 'utf8'), 'x'.repeat(600));
        const dumped = cfsctl(['--no-repo', 'create-dumpfile', '--no-propagate-usr-to-root', mountPoint]);
        assert.match(dumped.stdout, /^\/file 600 100644 1 /m);
        const computed = cfsctl(['--repo', repo, 'compute-id', '--no-propagate-usr-to-root', mountPoint]).stdout;
        assert.equal(
          computed,
          cfsctl(['--repo', repo, 'compute-id', '--no-propagate-usr-to-root', join(mountPoint, '..', 'source')]).stdout,
        );
        succeed(cfsctl(['umount', mountPoint]));
        assert(!isMounted(mountPoint));
      }
    }),
);

test(
  '--foreground serves until a signal or an unmount, and holds no lock on the repository',
  { skip: cannotMount },
  () =>
    withImage(async ({ repo, mountPoint, mount }) => {
      for (const end of ['SIGTERM', 'SIGINT', 'umount'] as const) {
        const child = startCfsctl(mount('--fuse', 'yes', '--foreground'));
        const ended = once(child, 'close');
        assert(await until(() => isMounted(mountPoint)));
        assert(existsSync(join(mountPoint, 'file')));
        succeed(cfsctl(['--repo', repo, 'gc']));
        if (end === 'umount') succeed(cfsctl(['umount', mountPoint]));
        else child.kill(end);
        const [status] = await ended;
        assert.equal(status, 0, end);
        assert(!isMounted(mountPoint));
      }
    }),
);

test('an upper layer through FUSE', { skip: cannotMount }, () =>
  withImage(({ mountPoint, mount }) => {
    const [upper, work] = ['upper', 'work'].map((name) => join(mountPoint, '..', name));
    assert(upper !== undefined && work !== undefined);
    mkdirSync(upper);
    mkdirSync(work);
    const layers = ['--upperdir', upper, '--workdir', work];
    succeed(cfsctl(mount('--fuse', 'yes', ...layers, '--read-write')));
    writeFileSync(join(mountPoint, 'file'), 'changed');
    succeed(cfsctl(['umount', mountPoint]));
    assert.equal(readFileSync(join(upper, 'file'), 'utf8'), 'changed');
    const refused = cfsctl(mount('--verify', ...layers));
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /an overlay cannot check files that have no fs-verity/);
  }),
);

test('what cannot be mounted says why, and leaves nothing', { skip: cannotMount }, () =>
  withImage(({ repo, mountPoint, mount }) => {
    const cases: [readonly string[], number, RegExp][] = [
      [
        mount('--fuse', 'maybe'),
        2,
        /invalid value 'maybe' for '--fuse <FUSE>'\n {2}\[possible values: auto, yes, no\]/,
      ],
      [mount('--fuse', 'yes', '--read-write'), 2, /--upperdir <UPPERDIR>/],
      [mount('--fuse', 'no', '--verify'), 1, /hint: --verify is for FUSE/],
      [
        ['--repo', repo, 'mount', '--fuse', 'yes', 'app', join(mountPoint, 'missing')],
        1,
        /Opening mount point .*\n.*ENOENT/,
      ],
      [['--repo', repo, 'mount', '--fuse', 'yes', 'unknown', mountPoint], 1, /image not found: unknown/],
    ];
    for (const [args, status, message] of cases) {
      const result = cfsctl(args);
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, message);
      assert(!isMounted(mountPoint));
    }
  }),
);
