import { closeSync, constants, openSync } from 'node:fs';
import { mountImageAt } from '../../composefs/mount/index.js';
import type { MountOptions as KernelOptions } from '../../composefs/mount/options.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError, ContextError, errorCode, fullMessage, withContext } from '../../errors.js';
import { O_PATH } from '../../linux/constants.js';
import { inInitialUserNamespace } from '../../system/user-namespace.js';
import type { Context } from '../context/context.js';
import { withInterrupt } from '../context/interrupt.js';
import { type MountOptions, mountFlags } from '../context/mount-options.js';
import { withReadableRepository } from '../context/open-repository.js';

/** Mounts an image as the MNT options (spec 70 C3) want it: with the kernel, or through FUSE. */
export async function mountAt(
  repo: ReadableRepository,
  name: string,
  mountpoint: string,
  options: MountOptions,
): Promise<void> {
  const fds: number[] = [];
  const openLayer = (what: string, path: string): number => {
    const fd = withContext(`Opening ${what} '${path}'`, () => openSync(path, O_PATH | constants.O_DIRECTORY));
    fds.push(fd);
    return fd;
  };
  const { upperdir, workdir } = options;
  const flags = mountFlags(options);
  try {
    const overlay =
      upperdir === undefined || workdir === undefined
        ? undefined
        : { upperFd: openLayer('upperdir', upperdir), workFd: openLayer('workdir', workdir) };
    const layers = { ...flags, ...(overlay !== undefined && { overlay }) };
    if (!mountWithKernel(repo, name, mountpoint, layers, options)) {
      await mountWithFuse(repo, name, mountpoint, layers, options);
    }
  } catch (cause) {
    const hint = hintFor(cause, mountpoint, options);
    throw new ContextError(`Mounting image '${name}' at ${mountpoint}`, cause, hint);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** False if FUSE has to do it (spec 50 §23.1). */
function mountWithKernel(
  repo: ReadableRepository,
  name: string,
  mountpoint: string,
  layers: KernelOptions,
  { fuse, verify = false }: MountOptions,
): boolean {
  if (fuse === 'no' && verify) {
    throw new ComposefsError('EINVAL', 'the kernel checks what has fs-verity, and nothing else', {
      hint: '--verify is for FUSE: leave out --fuse no',
    });
  }
  if (fuse === 'yes' || verify) return false;
  const mayWork = process.getuid?.() === 0 && inInitialUserNamespace();
  if (fuse === 'auto' && !mayWork) return false;
  try {
    mountImageAt(repo, name, mountpoint, layers);
    return true;
  } catch (error) {
    // No EROFS or overlayfs, no such calls, no privilege: what FUSE does not need.
    if (fuse === 'auto' && ['ENODEV', 'ENOSYS', 'EPERM'].includes(errorCode(error))) return false;
    throw error;
  }
}

async function mountWithFuse(
  repo: ReadableRepository,
  name: string,
  mountpoint: string,
  layers: KernelOptions,
  { foreground = false, verify }: MountOptions,
): Promise<void> {
  const { mountFuse, serveFuse } = await import('../../fuse/index.js');
  const options = { ...layers, verify };
  if (!foreground) {
    await mountFuse(repo, name, mountpoint, options);
    return;
  }
  await withInterrupt((signal) =>
    serveFuse(repo, name, mountpoint, {
      ...options,
      signal,
      // The lock would keep garbage from being collected for as long as the mount is there.
      onMounted: () => repo.close(),
    }),
  );
}

function hintFor(cause: unknown, mountpoint: string, { fuse }: MountOptions): string | undefined {
  const code = errorCode(cause);
  if (code === 'ENOTCONN') return `a FUSE server that is gone has left a mount: cfsctl umount ${mountpoint} clears it`;
  if (code === 'FUSERMOUNT' && /\/dev\/fuse: Permission denied/.test(fullMessage(cause))) {
    return '/dev/fuse must be readable and writable for everybody, as udev makes it: chmod 666 /dev/fuse';
  }
  if (fuse === 'no' && (code === 'EPERM' || code === 'EACCES')) {
    return 'mounting with the kernel needs root (CAP_SYS_ADMIN) of the initial user namespace; --fuse yes does not';
  }
  return undefined;
}

export async function mount(context: Context, name: string, mountpoint: string, options: MountOptions): Promise<void> {
  await withReadableRepository(context, (repo) => mountAt(repo, name, mountpoint, options));
}
