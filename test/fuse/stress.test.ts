import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { unmountImage } from '../../src/composefs/mount/unmount.js';
import { type FuseMountOptions, mountFuse } from '../../src/fuse/index.js';
import { outputOf } from '../support/child-output.js';
import { withTempDir } from '../support/paths.js';
import { cannotMount, clearMounts, hasEnded, residentSize, withRepository } from './fuse-support.js';
import { stressContent, stressTree } from './stress-tree.js';

/**
 * Readers on two mounts while others come and go. COMPOSEFS_TEST_FUSE_SECONDS says for how long; with a minute or more
 * memory must not grow after the first third.
 */
const SECONDS = Number(process.env['COMPOSEFS_TEST_FUSE_SECONDS'] ?? 4);
const READERS = 8;
const FILES = 600;
const CHILD = fileURLToPath(new URL('./stress-child.js', import.meta.url));
/** Two thirds of the time may cost this much: heaps are collected when they like. */
const GROWTH_MAX = 16 * 1024 * 1024;
const BESIDE: FuseMountOptions[] = [{}, { passthrough: false, verify: true }, { mode: 'overlay' }, { threads: 4 }];

test('eight readers see what is there while images are mounted and unmounted beside them', { skip: cannotMount }, (t) =>
  withTempDir((temporary) =>
    withRepository(temporary, async (repo, mountPoint) => {
      const image = await repo.commitImage(stressTree(repo, FILES));
      const mounts = [join(mountPoint), join(temporary, 'second')];
      const beside = join(temporary, 'beside');
      for (const path of [...mounts.slice(1), beside]) mkdirSync(path);
      try {
        const servers: number[] = [];
        for (const [index, path] of mounts.entries()) {
          servers.push((await mountFuse(repo, image, path, { passthrough: index === 0, verify: true })).pid);
        }
        const readers = Array.from({ length: READERS }, (_, n) => runReader(mounts[n % 2] ?? mountPoint));
        let running = true;
        const results = Promise.all(readers).finally(() => {
          running = false;
        });
        const start = Date.now();
        let atThird: number[] | undefined;
        let rounds = 0;
        for (; running; rounds++) {
          const { pid } = await mountFuse(repo, image, beside, BESIDE[rounds % BESIDE.length]);
          assert(readFileSync(join(beside, 'd7/f7')).equals(stressContent(7)));
          unmountImage(beside);
          assert(await hasEnded(pid));
          if (Date.now() - start > (1000 * SECONDS) / 3) atThird ??= servers.map(residentSize);
        }
        const operations = (await results).reduce((sum, each) => sum + each);
        const growth = servers.map((pid, n) => residentSize(pid) - (atThird?.[n] ?? 0));
        const descriptors = servers.map((pid) => readdirSync(`/proc/${pid}/fd`).length);
        t.diagnostic(
          `${operations} operations, ${rounds} mounts beside; resident ${servers.map(residentSize)}, ` +
            `growth ${growth} bytes; descriptors ${descriptors}`,
        );
        if (SECONDS >= 60)
          assert(
            growth.every((bytes) => bytes < GROWTH_MAX),
            `memory grows: ${growth}`,
          );
        // RELEASE comes after close(2) has returned, but not seconds after.
        assert(
          descriptors.every((count) => count < 60),
          `descriptors: ${descriptors}`,
        );
      } finally {
        for (const path of [...mounts, beside]) clearMounts(path);
      }
    }),
  ),
);

async function runReader(mountPoint: string): Promise<number> {
  const child = spawn(process.execPath, [CHILD, mountPoint, String(SECONDS), String(FILES)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { status, stdout, stderr } = await outputOf(child);
  assert.equal(status, 0, stderr);
  return Number(stdout);
}
