import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { mountImageAt } from '../../src/composefs/mount/index.js';
import { Repository } from '../../src/composefs/repository/index.js';
import { userOverlaySupported } from '../../src/fuse/index.js';
import { readXattrs } from '../../src/linux/xattr.js';
import { pull } from '../../src/oci/import/pull.js';
import { OciImage } from '../../src/oci/store/image.js';
import { directory, inline, leaf, name, stat, xattrs } from '../composefs/erofs/support.js';
import { CFSCTL } from '../support/cfsctl.js';
import { packageRoot, withTempDir } from '../support/paths.js';
import { realImages, runProgram } from '../support/programs.js';
import { cannotMount, clearMounts, nobodyIn, snapshot } from './fuse-support.js';

/** Mounts by an ordinary user, through fusermount3. */

const COMPARE = fileURLToPath(new URL('./compare-child.js', import.meta.url));

interface Place {
  readonly path: string;
  /** Runs a script of Node as nobody; fails if that fails. */
  readonly asNobody: (args: readonly string[], status?: number) => string;
  /** Where nobody finds these. */
  readonly cfsctl: string;
  readonly compare: string;
}

/** A directory of nobody's. */
function withNobody(skip: (reason: string) => void, action: (place: Place) => Promise<void> | void): Promise<void> {
  return withTempDir(async (path) => {
    chmodSync(path, 0o755);
    const nobody = nobodyIn(path);
    if (nobody === undefined) return skip('nobody cannot use FUSE here: no fusermount3, unshare or setpriv');
    const place = join(path, 'nobody');
    mkdirSync(place);
    chmodSync(place, 0o777);
    const asNobody = (args: readonly string[], expected = 0): string => {
      const [program = '', ...rest] = [...nobody.command, process.execPath, ...args];
      const { status, stdout, stderr } = spawnSync(program, rest, {
        encoding: 'utf8',
        cwd: place,
        env: { ...process.env, HOME: place },
      });
      assert.equal(status, expected, stderr);
      return expected === 0 ? stdout : stderr;
    };
    const inPackage = (file: string): string => file.replace(packageRoot, nobody.packageRoot);
    await action({
      path: place,
      asNobody,
      cfsctl: inPackage(CFSCTL),
      compare: inPackage(COMPARE),
    });
  });
}

/** An image in nobody's repository, seen through the kernel's mount and through nobody's own. */
async function compare({ path, asNobody, compare: script }: Place, ids: readonly string[]): Promise<void> {
  const kernel = join(path, '..', 'kernel');
  mkdirSync(kernel);
  const repo = await Repository.open(join(path, 'repo'));
  mkdirSync(join(path, 'mount'));
  chmodSync(join(path, 'mount'), 0o777);
  try {
    for (const image of ids) {
      mountImageAt(repo, image, kernel);
      try {
        const { size } = snapshot(kernel);
        const output = asNobody([script, 'repo', image, 'mount', kernel]);
        assert.match(output, /^65534 sees [0-9]+\n$/);
        assert(Number(/sees ([0-9]+)/.exec(output)?.[1]) <= size);
      } finally {
        clearMounts(kernel);
      }
    }
  } finally {
    repo.close();
  }
}

test('an ordinary user sees of an image what the kernel mount shows that user', { skip: cannotMount }, (t) =>
  withNobody(
    (reason) => t.skip(reason),
    async (place) => {
      place.asNobody([place.cfsctl, '--repo', 'repo', 'init', '--insecure']);
      const repo = await Repository.open(join(place.path, 'repo'), { allowForeignOwner: true });
      const id = repo.objects.ensureObject(Buffer.alloc(100_000, 'x'));
      const external = leaf({ type: 'regular', file: { storage: 'external', id, size: 100_000 } });
      const attributes = xattrs({ 'user.shown': 'x', 'trusted.hidden': 'y', 'security.shown': 'z' });
      const image = await repo.commitImage(
        directory({
          external,
          again: external,
          secret: leaf(inline('secret'), stat(0o600)),
          mine: leaf(inline('mine'), stat(0o600, { uid: 65534, gid: 65534 })),
          closed: directory({ file: leaf(inline('x')) }, stat(0o700)),
          attributes: leaf(inline('x'), stat(0o644, { xattrs: attributes })),
          link: leaf({ type: 'symlink', target: name('external') }),
          device: leaf({ type: 'character-device', rdev: 0x103 }, stat(0o666)),
        }),
      );
      repo.close();
      await compare(place, [image]);
    },
  ),
);

test('an ordinary user mounts and unmounts with cfsctl, and is told what cannot be', { skip: cannotMount }, (t) =>
  withNobody(
    (reason) => t.skip(reason),
    async ({ path, asNobody, cfsctl }) => {
      mkdirSync(join(path, 'mount'));
      asNobody([cfsctl, '--repo', 'repo', 'init', '--insecure']);
      asNobody([cfsctl, '--repo', 'repo', 'create-image', '--no-propagate-usr-to-root', '/etc/alternatives', 'name']);
      const mount = [cfsctl, '--repo', 'repo', 'mount', 'name', 'mount'];
      const refused = asNobody(mount, 1);
      assert.match(refused, /fusermount3?: user has no write access to mountpoint/);
      chmodSync(join(path, 'mount'), 0o777);
      const script = `
        const { execFileSync } = require('node:child_process');
        const { readdirSync } = require('node:fs');
        const run = (...args) => execFileSync(process.execPath, args, { stdio: 'inherit' });
        run(...${JSON.stringify(mount)});
        console.log(readdirSync('mount').length === readdirSync('/etc/alternatives').length);
        run(${JSON.stringify(cfsctl)}, 'umount', 'mount');
        console.log(readdirSync('mount').length);`;
      assert.equal(asNobody(['-e', script]), 'true\n0\n');
      assert.match(asNobody([...mount, '--fuse', 'no'], 1), /--fuse yes does not/);
      mkdirSync(join(path, 'upper'));
      const upper = asNobody([...mount, '--upperdir', 'upper', '--workdir', 'upper'], 1);
      assert.match(upper, /an upper layer needs overlayfs.*\n\nhint: mount as root, or inside of `cfsctl unshare`/s);
    },
  ),
);

const images = realImages();

test(
  'real images look the same to an ordinary user through FUSE and through the kernel',
  { skip: cannotMount || (images.length === 0 ? 'COMPOSEFS_TEST_IMAGES names no images' : false) },
  (t) =>
    withNobody(
      (reason) => t.skip(reason),
      async (place) => {
        const repoPath = join(place.path, 'repo');
        const { repo } = await Repository.init(repoPath, { insecure: true });
        const ids: string[] = [];
        for (const { name: tag, path } of images) {
          await pull(repo, `oci:${path}:zstd`, tag);
          ids.push(OciImage.openRef(repo, tag).imageRef(repo.erofsVersion) ?? assert.fail(tag));
        }
        repo.close();
        runProgram('chown', ['-R', '65534:65534', repoPath]);
        await compare(place, ids);
      },
    ),
);

test(
  'in a user namespace files are copied to an upper layer with the xattrs that can be read',
  { skip: cannotMount },
  (t) =>
    withNobody(
      (reason) => t.skip(reason),
      async ({ path, asNobody, cfsctl }) => {
        const isPossible = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'true']).status === 0;
        if (!isPossible || !userOverlaySupported()) return t.skip('no user namespaces, or a kernel before Linux 6.16');
        asNobody([cfsctl, '--repo', 'repo', 'init', '--insecure']);
        const repo = await Repository.open(join(path, 'repo'), { allowForeignOwner: true });
        const id = repo.objects.ensureObject(Buffer.alloc(1000, 'old'));
        const attributes = xattrs({ 'user.kept': 'x', 'trusted.lost': 'y' });
        const content = { type: 'regular', file: { storage: 'external', id, size: 1000 } } as const;
        await repo.commitImage(directory({ file: leaf(content, stat(0o644, { uid: 0, xattrs: attributes })) }), 'name');
        repo.close();
        runProgram('chown', ['-R', '65534:65534', join(path, 'repo')]);
        const script = `
        const { execFileSync } = require('node:child_process');
        const fs = require('node:fs');
        for (const name of ['mount', 'upper', 'work']) fs.mkdirSync(name);
        const inside = '"$0" "$1" --repo repo mount --upperdir upper --workdir work --read-write name mount && ' +
          'printf new 1<>mount/file && "$0" "$1" umount mount';
        const unshare = ['--user', '--map-root-user', '--mount', 'sh', '-c', inside];
        execFileSync('unshare', [...unshare, process.execPath, ${JSON.stringify(cfsctl)}], { stdio: 'inherit' });
        console.log(fs.readFileSync('upper/file', 'latin1').slice(0, 6));`;
        assert.equal(asNobody(['-e', script]), 'newold\n');
        assert.equal(readXattrs(join(path, 'upper/file')).get(name('user.kept')), 'x');
      },
    ),
);
