import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { buildImage, LayoutBuilder } from '../../support/oci-fixtures.js';
import { packageRoot } from '../../support/paths.js';
import { tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';
import { makeDisk } from './machine.js';
import { runTool } from './programs.js';

/**
 * Images of a Debian system that boots with composefs-setup-root in its initramfs, and a disk with the same system and
 * `cfsctl`, to install them with.
 */

export interface SystemImages {
  /** An OCI layout with the tags `v1` and `v2`, which differ in `/usr/lib/composefs-test/version` and `other`. */
  readonly kernel: string;
  readonly initrd: string;
  readonly kernelVersion: string;
  /** An ext4 file system with the layout in `/install/layout`, and an init in `/install/init.sh`. */
  readonly disk: string;
}

/** What `/usr/lib/composefs-test/data` holds: found on a disk by itself. */
export const DATA: Buffer = Buffer.from('composefs-oci test data, to be found on the disk. '.repeat(2000));

const PACKAGE = '/usr/local/lib/node_modules/composefs-oci';
const TEST_FILES = 'usr/lib/composefs-test';
const SOURCES = join(packageRoot, 'test/vm/boot');

/**
 * @param tar of a Debian root with initramfs-tools and a kernel: what `make-root.sh` makes.
 * @param work an empty directory.
 */
export function makeSystemImages(tar: string, work: string): SystemImages {
  const root = join(work, 'root');
  mkdirSync(root);
  runTool('tar', ['-x', '-f', tar, '-C', root, '--numeric-owner', '--exclude=./dev/*']);
  installPackage(root);
  cpSync(join(packageRoot, 'contrib/initramfs-tools'), join(root, 'etc/initramfs-tools'), { recursive: true });
  const [kernelVersion] = readdirSync(join(root, 'usr/lib/modules'));
  if (kernelVersion === undefined) throw new Error(`${tar} has no kernel`);
  const inRoot = 'mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"; exec chroot "$0" "$@"';
  runTool('unshare', ['-m', 'sh', '-ec', inRoot, root, 'update-initramfs', '-c', '-k', kernelVersion]);

  const modules = join(root, 'usr/lib/modules', kernelVersion);
  renameSync(join(root, 'boot', `vmlinuz-${kernelVersion}`), join(modules, 'vmlinuz'));
  renameSync(join(root, 'boot', `initrd.img-${kernelVersion}`), join(modules, 'initramfs.img'));
  rmSync(join(root, 'boot'), { recursive: true });
  for (const directory of ['boot', 'sysroot']) mkdirSync(join(root, directory));
  const [kernel, initrd] = [join(work, 'vmlinuz'), join(work, 'initramfs.img')];
  cpSync(join(modules, 'vmlinuz'), kernel);
  cpSync(join(modules, 'initramfs.img'), initrd);
  addCheck(root);

  const layout = join(work, 'layout');
  writeLayout(root, work, layout);
  const install = join(root, 'install');
  mkdirSync(install);
  renameSync(layout, join(install, 'layout'));
  cpSync(join(SOURCES, 'install.sh'), join(install, 'init.sh'));
  const disk = join(work, 'install.img');
  makeDisk(disk, '3G', root);
  rmSync(root, { recursive: true });
  return { kernel, initrd, kernelVersion, disk };
}

/** Node.js and this package, as `npm install -g` puts it there. */
function installPackage(root: string): void {
  const bin = join(root, 'usr/local/bin');
  cpSync(process.execPath, join(bin, 'node'), { dereference: true });
  const target = join(root, PACKAGE);
  for (const name of ['package.json', 'dist/lib'])
    cpSync(join(packageRoot, name), join(target, name), { recursive: true });
  const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
    bin: Record<string, string>;
  };
  for (const name of [...Object.keys(manifest.dependencies), `@koromix/koffi-linux-${process.arch}`]) {
    cpSync(join(packageRoot, 'node_modules', name), join(target, 'node_modules', name), { recursive: true });
  }
  for (const [name, path] of Object.entries(manifest.bin)) {
    chmodSync(join(target, path), 0o755);
    symlinkSync(join(PACKAGE, path), join(bin, name));
  }
}

/** The service that says how things are and stops the machine. */
function addCheck(root: string): void {
  const directory = join(root, TEST_FILES);
  mkdirSync(directory, { recursive: true });
  cpSync(join(SOURCES, 'check.sh'), join(directory, 'check.sh'));
  writeFileSync(join(directory, 'data'), DATA);
  const unit = `[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /${TEST_FILES}/check.sh
`;
  const system = join(root, 'usr/lib/systemd/system');
  writeFileSync(join(system, 'composefs-test.service'), unit);
  const wants = join(system, 'graphical.target.wants');
  mkdirSync(wants, { recursive: true });
  symlinkSync('../composefs-test.service', join(wants, 'composefs-test.service'));
}

/** Without Node.js and the package, of which the initramfs has what it needs. */
function writeLayout(root: string, work: string, layout: string): void {
  const tar = join(work, 'layer.tar');
  const without = [`.${PACKAGE}`, './usr/local/bin', './var/lib/apt', './var/cache', './var/log'].map(
    (path) => `--exclude=${path}`,
  );
  runTool('tar', [
    '-c',
    '-f',
    tar,
    '-C',
    root,
    '--numeric-owner',
    '--sort=name',
    '--mtime=@1700000000',
    ...without,
    '.',
  ]);
  const base = readFileSync(tar);
  rmSync(tar);
  const builder = new LayoutBuilder();
  for (const version of ['v1', 'v2']) {
    const change = tarArchive([
      tarDirectory(`${TEST_FILES}/`),
      tarFile(`${TEST_FILES}/version`, `${version}\n`),
      tarFile(`${TEST_FILES}/other`, `of ${version} `.repeat(1000)),
    ]);
    builder.addImage(buildImage([base, change], { compression: 'none' }), { tag: version });
  }
  builder.write(layout);
}

/** The tar of `make-root.sh`: `COMPOSEFS_TEST_VM_ROOT`, or one that is made once and kept. */
export function findRootTar(): string {
  const given = process.env['COMPOSEFS_TEST_VM_ROOT'];
  if (given !== undefined) return given;
  const cache = process.env['XDG_CACHE_HOME'] ?? join(process.env['HOME'] ?? '/root', '.cache');
  const path = join(cache, 'composefs-oci-test', 'root.tar');
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true });
    runTool('sh', [join(SOURCES, 'make-root.sh'), path]);
  }
  return path;
}
