import { closeSync, constants, existsSync, openSync } from 'node:fs';
import type { Mount } from '../composefs/mount/mount-handle.js';
import { mountImageAt } from '../composefs/mount/mount-image.js';
import type { MountOptions, MountRestrictions } from '../composefs/mount/options.js';
import type { ReadableRepository } from '../composefs/repository/readable-repository.js';
import { ComposefsError, ContextError, errorCode, fullMessage, withContext } from '../errors.js';
import { O_PATH } from '../linux/constants.js';
import { inInitialUserNamespace } from '../system/user-namespace.js';
import type { ServeFuseOptions } from './mount-fuse.js';

/** Loaded when it is needed: what the kernel mounts does without. */
const loadFuse = () => import('./mount-fuse.js');

/** How an image is mounted, by whichever way. */
export interface MountEitherOptions extends MountRestrictions {
  /** `auto`: by the kernel, and through FUSE where that cannot or may not. Default `auto`. */
  readonly with?: 'auto' | 'kernel' | 'fuse' | undefined;
  /** A writable layer on top; needs `workDir`, an empty directory of the same file system. */
  readonly upperDir?: string | undefined;
  readonly workDir?: string | undefined;
  /** Default false: read-only even with an upper layer. */
  readonly readWrite?: boolean | undefined;
  /** Check each file when it is first opened, also where nothing has fs-verity: through FUSE only. */
  readonly verify?: boolean | undefined;
  /** Gives up: nothing is mounted then. What is in place stays. */
  readonly signal?: AbortSignal | undefined;
}

/** How an image is mounted, and what ends a server in this process. */
export interface ServeEitherOptions
  extends Omit<MountEitherOptions, 'signal'>,
    Pick<ServeFuseOptions, 'signal' | 'onMounted'> {}

/**
 * Mounts an image of a repository with the kernel or through FUSE, whichever works (spec 50 §23.1). The mount outlives
 * this process and the open repository.
 *
 * @param name a digest, or the name of a reference.
 * @param path a directory; symlinks are followed.
 * @throws ComposefsError with the code of what mounting with the kernel or {@link mountFuse} throws.
 */
export async function mountEither(
  repo: ReadableRepository,
  name: string,
  path: string,
  options: MountEitherOptions = {},
): Promise<Mount> {
  return await mountBy(repo, name, path, options, async (layers) =>
    (await loadFuse()).mountFuse(repo, name, path, { ...layers, signal: options.signal }),
  );
}

/**
 * {@link mountEither}; where it takes FUSE this process is the server.
 *
 * @returns at once if the kernel has mounted it, else when the mount and its last user are gone.
 */
export async function serveEither(
  repo: ReadableRepository,
  name: string,
  path: string,
  { signal, onMounted, ...options }: ServeEitherOptions = {},
): Promise<void> {
  await mountBy(repo, name, path, options, async (layers) => {
    await (await loadFuse()).serveFuse(repo, name, path, { ...layers, signal, onMounted });
    return undefined;
  });
}

async function mountBy<Served>(
  repo: ReadableRepository,
  name: string,
  path: string,
  options: MountEitherOptions,
  throughFuse: (layers: MountOptions & { readonly verify?: boolean | undefined }) => Promise<Served>,
): Promise<Mount | Served> {
  const { upperDir, workDir, nosuid, nodev, noexec, readWrite, verify, signal } = options;
  signal?.throwIfAborted();
  const fds: number[] = [];
  const openLayer = (what: string, directory: string): number => {
    const fd = withContext(`Opening ${what} '${directory}'`, () => openSync(directory, O_PATH | constants.O_DIRECTORY));
    fds.push(fd);
    return fd;
  };
  try {
    if ((upperDir === undefined) !== (workDir === undefined)) {
      throw new ComposefsError(
        'INVALID_ARGUMENT',
        'an upper directory needs a work directory, and the other way round',
      );
    }
    const overlay =
      upperDir === undefined || workDir === undefined
        ? undefined
        : { upperFd: openLayer('upperdir', upperDir), workFd: openLayer('workdir', workDir) };
    const layers: MountOptions = {
      nosuid,
      nodev,
      noexec,
      ...(readWrite !== undefined && { readWrite }),
      ...(overlay !== undefined && { overlay }),
    };
    return mountWithKernel(repo, name, path, layers, options) ?? (await throughFuse({ ...layers, verify }));
  } catch (cause) {
    signal?.throwIfAborted();
    const hint = hintFor(cause, path, options);
    throw new ContextError(`Mounting image '${name}' at ${path}`, cause, hint);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** Undefined if FUSE has to do it. */
function mountWithKernel(
  repo: ReadableRepository,
  name: string,
  path: string,
  layers: MountOptions,
  { with: method = 'auto', verify = false }: MountEitherOptions,
): Mount | undefined {
  if (method === 'kernel' && verify) {
    throw new ComposefsError('EINVAL', 'the kernel checks what has fs-verity, and nothing else', {
      hint: '--verify is for FUSE: leave out --fuse no',
    });
  }
  if (method === 'fuse' || verify) return undefined;
  const mayWork = process.getuid?.() === 0 && inInitialUserNamespace();
  if (method === 'auto' && !mayWork) return undefined;
  try {
    return mountImageAt(repo, name, path, layers);
  } catch (error) {
    // No EROFS or overlayfs, no such calls, no privilege: what FUSE does not need.
    if (method === 'auto' && ['ENODEV', 'ENOSYS', 'EPERM'].includes(errorCode(error))) return undefined;
    throw error;
  }
}

/** What fusermount3 says, or the kernel in a user namespace. */
const DEVICE_DENIED = /\/dev\/fuse: (?:Permission denied|EACCES)/;

function hintFor(cause: unknown, path: string, { with: method }: MountEitherOptions): string | undefined {
  const code = errorCode(cause);
  if (code === 'ENOTCONN') return `a FUSE server that is gone has left a mount: cfsctl umount ${path} clears it`;
  if (code === 'ENOENT' && !existsSync(path)) return `make the directory ${path} first`;
  if (code === 'ENOTDIR') return 'a mount point is a directory';
  if (DEVICE_DENIED.test(fullMessage(cause))) {
    return '/dev/fuse must be readable and writable for everybody, as udev makes it: chmod 666 /dev/fuse';
  }
  if (method === 'kernel' && (code === 'EPERM' || code === 'EACCES')) {
    return 'mounting with the kernel needs root (CAP_SYS_ADMIN) of the initial user namespace; --fuse yes does not';
  }
  return undefined;
}
