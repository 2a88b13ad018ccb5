import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Mount, mountPath } from '../composefs/mount/mount-handle.js';
import { ComposefsError, withContext } from '../errors.js';
import { unpackError } from '../threads/error-transfer.js';
import { untilAborted } from '../threads/until-aborted.js';
import { type AttachedMount, detach } from './fuse-mount.js';
import { serveDevice } from './fuse-service.js';
import { closeImageSource, type FuseRepository, type ImageSource, loadImage, openImageSource } from './image-source.js';
import { type FuseMountOptions, MountPlan } from './mount-plan.js';
import type { FromServer, ToServer } from './server-protocol.js';

const SERVER = fileURLToPath(new URL('./server-process.js', import.meta.url));
/** In MiB. The server's own thread does little, and nothing that needs more. */
const NURSERY = '--max-semi-space-size=1';

/** A mount served by another process. */
export class FuseMount extends Mount {
  /** Of the server, which ends with the mount. SIGTERM makes it unmount. */
  readonly pid: number;

  constructor(path: string, pid: number) {
    super(path);
    this.pid = pid;
  }
}

/**
 * Mounts an image of a repository through FUSE, served by a process of its own that outlives this one (spec 50 §23).
 * `unmountImage`, umount(8) or `fusermount3 -u` end both.
 *
 * Needs no privileges: without CAP_SYS_ADMIN the program `fusermount3` mounts.
 *
 * @param name a digest, or the name of a reference.
 * @param mountPoint a directory; symlinks are followed.
 * @returns when the mount is in place.
 * @throws ImageNotFoundError, ErofsReaderError, SystemError; ComposefsError `DIGEST_MISMATCH`, `FUSERMOUNT`,
 *   `FUSERMOUNT_MISSING`, `OVERLAY_UNAVAILABLE`, `FUSE_SERVER`
 */
export async function mountFuse(
  repository: FuseRepository,
  name: string,
  mountPoint: string,
  options: FuseMountOptions = {},
): Promise<FuseMount> {
  const { signal } = options;
  signal?.throwIfAborted();
  // Before anything is mounted there: fusermount3 does that at once, and whoever looked then would wait for the server.
  const path = mountPath(mountPoint);
  return await withPlan(repository, name, mountPoint, options, async (plan, source) => {
    let server: ServerProcess | undefined;
    try {
      try {
        server = new ServerProcess(plan, source);
      } finally {
        // The server has the device now: if it crashes, its users must not wait for us.
        closeSync(plan.deviceFd);
      }
      await untilAborted(server.start({ name, source, plan, options }), signal);
      await server.mounted(plan.finish());
      return new FuseMount(path, server.pid);
    } catch (error) {
      plan.cancel();
      server?.end();
      throw error;
    }
  });
}

export interface ServeFuseOptions extends FuseMountOptions {
  /** Unmounts, whenever it is aborted: who uses the mount keeps it, and the server goes on for them. */
  readonly signal?: AbortSignal | undefined;
  /** Called when the mount is in place. */
  readonly onMounted?: (() => void) | undefined;
}

/**
 * {@link mountFuse} without another process: the image is served by threads of this one.
 *
 * @returns when the mount and its last user are gone.
 * @throws as {@link mountFuse}
 */
export async function serveFuse(
  repository: FuseRepository,
  name: string,
  mountPoint: string,
  options: ServeFuseOptions = {},
): Promise<void> {
  const { signal, onMounted, passthrough, threads } = options;
  signal?.throwIfAborted();
  await withPlan(repository, name, mountPoint, options, async (plan, source) => {
    const { objectsFd, verify } = source;
    const { overlayXattr } = plan;
    let ended: Promise<void>;
    try {
      const image = loadImage(source);
      ended = serveDevice(plan.deviceFd, { image, objectsFd, verify, overlayXattr, passthrough, threads });
    } catch (error) {
      plan.cancel();
      closeSync(plan.deviceFd);
      throw error;
    }
    try {
      const mount = plan.finish();
      onMounted?.();
      await detachedOnAbort(mount, signal, ended);
    } catch (error) {
      plan.cancel();
      await ended.catch(() => undefined);
      throw error;
    }
  });
}

/** Waits for the end of a mount, which is detached when the signal is aborted. @throws where it cannot be detached. */
async function detachedOnAbort(
  mount: AttachedMount,
  signal: AbortSignal | undefined,
  ended: Promise<void>,
): Promise<void> {
  let unmount = (): void => undefined;
  const refused = new Promise<never>((_, reject) => {
    unmount = () => {
      try {
        detach(mount);
      } catch (error) {
        reject(error);
      }
    };
  });
  if (signal?.aborted === true) unmount();
  else signal?.addEventListener('abort', unmount, { once: true });
  try {
    await Promise.race([ended, refused]);
  } finally {
    signal?.removeEventListener('abort', unmount);
  }
}

async function withPlan<T>(
  repository: FuseRepository,
  name: string,
  mountPoint: string,
  options: FuseMountOptions,
  action: (plan: MountPlan, source: ImageSource) => Promise<T>,
): Promise<T> {
  const source = openImageSource(repository, name, options.verify);
  try {
    return await action(new MountPlan(source, mountPoint, options), source);
  } finally {
    closeImageSource(source);
  }
}

interface Start {
  readonly name: string;
  readonly source: ImageSource;
  readonly plan: MountPlan;
  readonly options: FuseMountOptions;
}

class ServerProcess {
  readonly #process: ChildProcess;

  constructor(plan: MountPlan, source: ImageSource) {
    this.#process = withContext('Starting the FUSE server', () =>
      spawn(process.execPath, [NURSERY, SERVER], {
        // Not to keep the directory of the caller in use.
        cwd: '/',
        detached: true,
        // In the order of server-protocol.ts.
        stdio: ['ignore', 'ignore', 'ignore', 'ipc', plan.deviceFd, source.imageFd, source.objectsFd],
      }),
    );
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Resolves when it answers requests. */
  async start({ name, source, plan, options }: Start): Promise<void> {
    const { verify, expected } = source;
    const { passthrough, threads } = options;
    const { overlayXattr } = plan;
    this.#send({ type: 'serve', name, verify, expected, overlayXattr, passthrough, threads });
    const reply = await this.#wait<FromServer>('message');
    if (reply.type === 'failed') throw unpackError(reply.error);
  }

  /** Tells it what to unmount when it is to end, and lets go of it. */
  async mounted(mount: Extract<ToServer, { type: 'mounted' }>['mount']): Promise<void> {
    const gone = this.#wait('disconnect');
    this.#send({ type: 'mounted', mount });
    await gone;
    this.#process.unref();
  }

  /** Without a mount it would end by itself, but nobody can wait for that. */
  end(): void {
    this.#process.kill('SIGKILL');
    this.#process.unref();
  }

  /** A server that does not get it has ended, which is noticed where its answer is waited for. */
  #send(message: ToServer): void {
    this.#process.send(message, () => undefined);
  }

  async #wait<T>(event: 'message' | 'disconnect'): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      const fail = (why: string, cause?: unknown): void =>
        reject(new ComposefsError('FUSE_SERVER', `the FUSE server ${why} before the mount was in place`, { cause }));
      this.#process.once('error', (cause) => fail('could not be started', cause));
      this.#process.once('exit', (status, signal) => fail(`ended (${signal ?? `status ${status}`})`));
      this.#process.once(event, (value: T) => resolve(value));
    });
  }
}
