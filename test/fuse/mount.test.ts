import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { byteStringFrom, byteStringFromText } from '../../src/bytes/byte-string.js';
import { objectPathname } from '../../src/composefs/fsverity/object-id.js';
import { mountImageAt } from '../../src/composefs/mount/index.js';
import { unmountImage } from '../../src/composefs/mount/unmount.js';
import type { Repository } from '../../src/composefs/repository/index.js';
import { closeImageSource, openImageSource } from '../../src/fuse/image-source.js';
import { type FuseMountOptions, mountFuse, serveFuse } from '../../src/fuse/index.js';
import { mountEither } from '../../src/fuse/mount-either.js';
import { MountPlan } from '../../src/fuse/mount-plan.js';
import { makeNode } from '../../src/linux/link.js';
import { MNT_DETACH, umount2 } from '../../src/linux/mount-api.js';
import { setXattr } from '../../src/linux/xattr.js';
import { directory, inline, leaf } from '../composefs/erofs/support.js';
import { scanDirectory } from '../support/at-once.js';
import { outputOf } from '../support/child-output.js';
import { withTempDir } from '../support/paths.js';
import { until } from '../support/until.js';
import { cannotMount, clearMounts, hasEnded, isMounted, snapshot, withRepository } from './fuse-support.js';

const skip = cannotMount;
const LARGE = 3 * 1024 * 1024 + 17;

const MODES: FuseMountOptions[] = [{}, { passthrough: false }, { verify: true, threads: 1 }, { mode: 'overlay' }];

/** A directory with what a file system can hold, as the scanner takes it. */
function makeSource(path: string): void {
  mkdirSync(join(path, 'sub/deep/er'), { recursive: true });
  mkdirSync(join(path, 'many'));
  for (let n = 0; n < 300; n++) writeFileSync(join(path, `many/file number ${n}`), `content ${n}`);
  writeFileSync(join(path, 'empty'), '');
  writeFileSync(join(path, 'inline'), 'x'.repeat(64));
  writeFileSync(join(path, 'external'), 'y'.repeat(65));
  writeFileSync(join(path, 'large'), Buffer.alloc(LARGE, 'large file '));
  writeFileSync(join(path, 'sparse'), '');
  truncateSync(join(path, 'sparse'), 10_000_000);
  linkSync(join(path, 'external'), join(path, 'sub/hard link'));
  symlinkSync('../anywhere', join(path, 'sub/symlink'));
  writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0x0a, 0xfe])]), 'odd name');
  makeNode(join(path, 'null'), constants.S_IFCHR | 0o640, (1 << 8) | 3);
  makeNode(join(path, 'disk'), constants.S_IFBLK | 0o600, (259 << 8) | 5);
  makeNode(join(path, 'fifo'), constants.S_IFIFO | 0o600, 0);
  makeNode(join(path, 'socket'), constants.S_IFSOCK | 0o755, 0);
  chownSync(join(path, 'inline'), 1000, 70_000);
  chmodSync(join(path, 'external'), 0o4755);
  chmodSync(join(path, 'sub'), 0o1777);
  for (const [file, name, value] of [
    ['external', 'trusted.test', 'on the file'],
    ['external', 'trusted.overlay.escaped', 'x'],
    ['inline', 'user.test', 'with\0zero'],
    ['sub', 'user.directory', ''],
    ['large', 'security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex').toString('latin1')],
  ] as const) {
    setXattr(join(path, file), byteStringFromText(name), byteStringFrom(Buffer.from(value, 'latin1')));
  }
  utimesSync(join(path, 'inline'), 1, 1_700_000_000.123456);
  lutimesSync(join(path, 'sub/symlink'), 1, 2);
  utimesSync(join(path, 'sub'), 1, 3);
}

async function withMounted(
  repo: Repository,
  image: string,
  mountPoint: string,
  options: FuseMountOptions,
  action: (pid: number) => Promise<void> | void,
): Promise<void> {
  const { pid } = await mountFuse(repo, image, mountPoint, options);
  try {
    await action(pid);
  } finally {
    clearMounts(mountPoint);
    assert(await hasEnded(pid), 'the server ends with the mount');
  }
}

for (const version of [0, 1, 2] as const) {
  test(`the source, the kernel mount and the FUSE mounts of a V${version} image are the same tree`, { skip }, () =>
    withTempDir((temporary) =>
      withRepository(temporary, async (repo, mountPoint) => {
        repo.setErofsVersion(version);
        const source = join(temporary, 'source');
        mkdirSync(source);
        makeSource(source);
        const image = await repo.commitImage(scanDirectory(source, { algorithm: 'sha256', store: repo.objects }));
        mountImageAt(repo, image, mountPoint);
        const expected = snapshot(mountPoint);
        assert(expected.size > 300);
        // V2 images have no nanoseconds.
        if (version !== 2) {
          assert.deepEqual(
            snapshot(source, { directorySizes: false }),
            snapshot(mountPoint, { directorySizes: false }),
          );
        }
        unmountImage(mountPoint);
        const modes: FuseMountOptions[] = version === 1 ? MODES : [{}];
        for (const options of modes) {
          await withMounted(repo, image, mountPoint, options, () => {
            assert.deepEqual(snapshot(mountPoint), expected, JSON.stringify(options));
            // Once more, from what the kernel has remembered.
            assert.deepEqual(snapshot(mountPoint), expected);
          });
        }
      }),
    ),
  );
}

test('a mount is read-only, shows in the mount table, and cannot be mounted where nothing is', { skip }, () =>
  withTempDir((temporary) =>
    withRepository(temporary, async (repo, mountPoint) => {
      const image = await repo.commitImage(directory({ f: leaf(inline('hello')) }));
      await withMounted(repo, image, mountPoint, {}, () => {
        assert.throws(() => writeFileSync(join(mountPoint, 'f'), ''), { code: 'EROFS' });
        assert.throws(() => mkdirSync(join(mountPoint, 'new')), { code: 'EROFS' });
        const { stdout } = spawnSync('stat', ['-f', '-c', '%T %s %l', mountPoint], { encoding: 'utf8' });
        assert.equal(stdout, 'fuseblk 4096 255\n');
        assert(isMounted(mountPoint));
      });
      assert(!isMounted(mountPoint));
      await assert.rejects(mountFuse(repo, image, join(temporary, 'missing')), { code: 'ENOENT' });
      await assert.rejects(mountFuse(repo, image, join(temporary, 'repo/meta.json')), { code: 'ENOTDIR' });
      await assert.rejects(mountFuse(repo, 'unknown', mountPoint), { code: 'IMAGE_NOT_FOUND' });
    }),
  ),
);

test('a mount that is given up leaves nothing', { skip }, () =>
  withTempDir((temporary) =>
    withRepository(temporary, async (repo, mountPoint) => {
      const image = await repo.commitImage(directory({ f: leaf(inline('hello')) }));
      const reason = new Error('no more');
      const isReason = (error: unknown): boolean => error === reason;
      await assert.rejects(mountFuse(repo, image, mountPoint, { signal: AbortSignal.abort(reason) }), isReason);
      const controller = new AbortController();
      const mounting = mountFuse(repo, image, mountPoint, { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(mounting, isReason);
      for (const method of ['kernel', 'fuse'] as const) {
        const options = { with: method, signal: AbortSignal.abort(reason) };
        await assert.rejects(mountEither(repo, image, mountPoint, options), isReason);
      }
      assert(!isMounted(mountPoint));
      const fd = openSync(mountPoint, constants.O_RDONLY);
      closeSync(fd);
      // An aborted signal does nothing to a mount that is in place.
      const late = new AbortController();
      await withMounted(repo, image, mountPoint, { signal: late.signal }, () => {
        late.abort();
        assert.equal(readFileSync(join(mountPoint, 'f'), 'utf8'), 'hello');
      });
    }),
  ),
);

test('with an upper layer it can be written to', { skip }, () =>
  withTempDir((temporary) =>
    withRepository(temporary, async (repo, mountPoint) => {
      const [upper, work] = ['upper', 'work'].map((name) => {
        mkdirSync(join(temporary, name));
        return openSync(join(temporary, name), constants.O_RDONLY | constants.O_DIRECTORY);
      });
      assert(upper !== undefined && work !== undefined);
      const id = repo.objects.ensureObject(Buffer.alloc(1000, 'old'));
      const file = leaf({ type: 'regular', file: { storage: 'external', id, size: 1000 } });
      const image = await repo.commitImage(directory({ file, other: leaf(inline('x')) }));
      const overlay = { upperFd: upper, workFd: work };
      await withMounted(repo, image, mountPoint, { overlay, readWrite: true }, () => {
        const fd = openSync(join(mountPoint, 'file'), 'r+');
        writeSync(fd, 'new');
        closeSync(fd);
        rmSync(join(mountPoint, 'other'));
        assert.equal(readFileSync(join(mountPoint, 'file'), 'latin1').slice(0, 6), 'newold');
        assert.deepEqual(readdirSync(mountPoint), ['file']);
      });
      await withMounted(repo, image, mountPoint, { overlay }, () => {
        assert.throws(() => writeFileSync(join(mountPoint, 'file'), ''), { code: 'EROFS' });
      });
      assert.equal(readFileSync(join(repo.path, 'objects', objectPathname(id)), 'latin1').slice(0, 6), 'oldold');
      await assert.rejects(mountFuse(repo, image, mountPoint, { overlay, mode: 'direct' }), { code: 'EINVAL' });
      await assert.rejects(mountFuse(repo, image, mountPoint, { overlay, verify: true }), {
        code: 'VERITY_UNAVAILABLE',
      });
      closeSync(upper);
      closeSync(work);
    }),
  ),
);

test(
  'every object is checked when it is opened for the first time; what is damaged is EIO, all else works',
  { skip },
  () =>
    withTempDir((temporary) =>
      withRepository(temporary, async (repo, mountPoint) => {
        const external = (content: Buffer): { path: string; node: ReturnType<typeof leaf> } => {
          const id = repo.objects.ensureObject(content);
          const node = leaf({ type: 'regular', file: { storage: 'external', id, size: content.length } });
          return { path: join(repo.path, 'objects', objectPathname(id)), node };
        };
        const [good, small, large, gone] = ['good', 'small', 'large', 'gone'].map((text) =>
          external(Buffer.alloc(text === 'large' || text === 'good' ? LARGE : 1000, text)),
        );
        assert(good && small && large && gone);
        const image = await repo.commitImage(
          directory({
            good: good.node,
            small: small.node,
            large: large.node,
            gone: gone.node,
            inline: leaf(inline('i')),
          }),
        );
        for (const { path } of [small, large]) {
          const fd = openSync(path, 'r+');
          writeSync(fd, 'X', 500);
          closeSync(fd);
        }
        rmSync(gone.path);
        const readers = (name: string): number => readFileSync(join(mountPoint, name)).length;
        for (const passthrough of [true, false]) {
          await withMounted(repo, image, mountPoint, { verify: true, passthrough }, () => {
            for (const name of ['small', 'large', 'gone']) assert.throws(() => readers(name), { code: 'EIO' }, name);
            assert.equal(readers('good'), LARGE);
            assert.equal(readers('inline'), 1);
          });
          await withMounted(repo, image, mountPoint, { verify: false, passthrough }, () => {
            assert.throws(() => readers('gone'), { code: 'EIO' });
            assert.equal(readers('small'), 1000);
            assert.equal(readers('large'), LARGE);
          });
        }
        // What is repaired can be read.
        await withMounted(repo, image, mountPoint, { verify: true }, () => {
          assert.throws(() => readers('small'), { code: 'EIO' });
          writeFileSync(small.path, Buffer.alloc(1000, 'small'));
          assert.equal(readers('small'), 1000);
        });
      }),
    ),
);

test('with verification the image itself is checked, too', { skip }, () =>
  withTempDir((temporary) =>
    withRepository(temporary, async (repo, mountPoint) => {
      const image = await repo.commitImage(directory({ f: leaf(inline('hello')) }), 'name');
      const path = join(repo.path, 'images', image);
      const bytes = readFileSync(path);
      chmodSync(path, 0o644);
      writeFileSync(path, Buffer.from(bytes.toString('latin1').replace('hello', 'HELLO'), 'latin1'));
      for (const name of [image, 'name', 'refs/name']) {
        await assert.rejects(mountFuse(repo, name, mountPoint, { verify: true }), { code: 'DIGEST_MISMATCH' });
      }
      await withMounted(repo, image, mountPoint, {}, () => {
        assert.equal(readFileSync(join(mountPoint, 'f'), 'utf8'), 'HELLO');
      });
      writeFileSync(path, bytes.subarray(0, 1000));
      await assert.rejects(mountFuse(repo, image, mountPoint), { code: 'INVALID_IMAGE' });
      assert(!isMounted(mountPoint));
    }),
  ),
);

test('a server that cannot be started is an error, and leaves no mount', { skip }, () =>
  withTempDir((temporary) =>
    withRepository(temporary, async (repo, mountPoint) => {
      const image = await repo.commitImage(directory({ f: leaf(inline('hello')) }));
      const { execPath } = process;
      try {
        // Nothing that can be run; nothing that serves.
        for (const [path, message] of [
          [join(temporary, 'missing'), 'the FUSE server could not be started before the mount was in place'],
          ['/bin/false', 'the FUSE server ended (status 1) before the mount was in place'],
        ] as const) {
          process.execPath = path;
          await assert.rejects(mountFuse(repo, image, mountPoint), { code: 'FUSE_SERVER', message });
          assert(!isMounted(mountPoint));
        }
      } finally {
        process.execPath = execPath;
      }
    }),
  ),
);

test('SIGTERM unmounts; who uses the mount keeps it, and the server, to the end', { skip }, () =>
  withTempDir((temporary) =>
    withRepository(temporary, async (repo, mountPoint) => {
      const image = await repo.commitImage(directory({ f: leaf(inline('hello')) }));
      const { pid } = await mountFuse(repo, image, mountPoint);
      const fd = openSync(mountPoint, constants.O_RDONLY | constants.O_DIRECTORY);
      process.kill(pid, 'SIGTERM');
      assert(await until(() => !isMounted(mountPoint)));
      assert.equal(readFileSync(`/proc/self/fd/${fd}/f`, 'utf8'), 'hello');
      process.kill(pid, 0);
      closeSync(fd);
      assert(await hasEnded(pid));
    }),
  ),
);

test('a server that is killed leaves a mount that can be cleared, by us or by umount', { skip }, () =>
  withTempDir((temporary) =>
    withRepository(temporary, async (repo, mountPoint) => {
      const image = await repo.commitImage(directory({ f: leaf(inline('hello')) }));
      for (const clear of [() => unmountImage(mountPoint), () => umount2(mountPoint, MNT_DETACH)]) {
        const { pid } = await mountFuse(repo, image, mountPoint);
        const fd = openSync(join(mountPoint, 'f'), 'r');
        process.kill(pid, 'SIGKILL');
        assert(await hasEnded(pid));
        assert.throws(() => statSync(join(mountPoint, 'g')), { code: 'ENOTCONN' });
        await assert.rejects(mountFuse(repo, image, mountPoint), { code: 'ENOTCONN' });
        closeSync(fd);
        clear();
        assert(!isMounted(mountPoint));
      }
    }),
  ),
);

test('a mount whose server ends before it has begun is taken away again', { skip }, () =>
  withTempDir((temporary) =>
    withRepository(temporary, async (repo, mountPoint) => {
      const image = await repo.commitImage(directory({ f: leaf(inline('hello')) }));
      const source = openImageSource(repo, image, undefined);
      try {
        const plan = new MountPlan(source, mountPoint, {});
        plan.finish();
        assert(isMounted(mountPoint));
        closeSync(plan.deviceFd);
        plan.cancel();
        assert(!isMounted(mountPoint));
        plan.cancel();
      } finally {
        closeImageSource(source);
      }
      const onMounted = (): void => {
        throw new Error('not now');
      };
      await assert.rejects(serveFuse(repo, image, mountPoint, { onMounted }), { message: 'not now' });
      assert(!isMounted(mountPoint));
    }),
  ),
);

test('in the foreground it is served until it is unmounted or aborted', { skip }, () =>
  withTempDir((temporary) =>
    withRepository(temporary, async (repo, mountPoint) => {
      const image = await repo.commitImage(directory({ f: leaf(inline('hello')) }));
      // Not this process: its synchronous calls would wait for its own threads, which is no more than a detour.
      const read = async (): Promise<string> => {
        const child = spawn('cat', [join(mountPoint, 'f')], { stdio: ['ignore', 'pipe', 'ignore'] });
        return (await outputOf(child)).stdout;
      };
      const abort = new AbortController();
      const unused = new AbortController();
      for (const [end, { signal }] of [
        [() => abort.abort(), abort],
        [() => unmountImage(mountPoint), unused],
      ] as const) {
        let text = '';
        await serveFuse(repo, image, mountPoint, {
          signal,
          onMounted: () => {
            void read().then((result) => {
              text = result;
              end();
            });
          },
        });
        assert.equal(text, 'hello');
        assert(!isMounted(mountPoint));
        assert.deepEqual(getEventListeners(signal, 'abort'), []);
      }
      await assert.rejects(serveFuse(repo, image, mountPoint, { signal: abort.signal }), { name: 'AbortError' });
    }),
  ),
);
