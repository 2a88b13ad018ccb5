import { closeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { ResourceLimits } from 'node:worker_threads';
import { FLAG_HAS_ACL } from '../composefs/erofs/format/constants.js';
import { ErofsImage } from '../composefs/erofs/reader/image.js';
import { cloneFuseDevice } from '../linux/fuse-device.js';
import { hasCapability } from '../linux/process.js';
import { inInitialUserNamespace } from '../system/user-namespace.js';
import { Thread } from '../threads/thread.js';
import { BackgroundHash } from './background-hash.js';
import { handshake } from './handshake.js';
import type { ImageServer } from './image-server.js';
import { ObjectFiles } from './object-files.js';
import { ObjectTable } from './object-table.js';
import { answerLater } from './serve-loop.js';
import type { DeferredRequest } from './serve-thread.js';
import { imageServer, type ServerData } from './server-data.js';
import type { OverlayXattrMode } from './xattr-names.js';

const THREAD = new URL('./serve-thread.js', import.meta.url);

/** What a request leaves behind is small and dead at once: a large nursery would only keep more memory in use. */
const THREAD_LIMITS: ResourceLimits = { maxYoungGenerationSizeMb: 2 };

export interface ServeOptions {
  readonly image: SharedArrayBuffer;
  /** Of `objects/`; stays the caller's, and open until the service has ended. */
  readonly objectsFd: number;
  /** Check each object against the digest that the image states, when it is opened for the first time. */
  readonly verify: boolean;
  /** Undefined: the file system itself. */
  readonly overlayXattr?: OverlayXattrMode | undefined;
  /** Let the kernel read the objects itself where it can. Default true. */
  readonly passthrough?: boolean | undefined;
  /**
   * Threads that answer requests. Default: 2, so that one answers while another waits for the disk; 1 if the kernel
   * reads the data by itself, or with two cores or less: each thread has to warm up before it is fast.
   */
  readonly threads?: number | undefined;
}

/**
 * Serves an image on a mounted device, from threads of this process, until it is unmounted (spec 50 §24).
 *
 * When this returns the mount works.
 *
 * @param deviceFd is closed at the end.
 * @returns resolves when the mount and its last user are gone, rejects if a thread fails.
 * @throws ErofsReaderError; ComposefsError `EPROTO`, `ENODEV`; then `deviceFd` stays open.
 */
export function serveDevice(deviceFd: number, options: ServeOptions): Promise<void> {
  const { overlayXattr } = options;
  const image = ErofsImage.open(Buffer.from(options.image));
  const table = ObjectTable.forImage(options.image.byteLength);
  const wanted = options.passthrough !== false && overlayXattr === undefined && mayPassThrough();
  const { noOpendir, passthrough } = handshake(deviceFd, { acl: mayHaveAcl(image), passthrough: wanted });
  const { objectsFd, verify } = options;
  const data = {
    deviceFd,
    image: options.image,
    table: table.buffer,
    objectsFd,
    verify,
    overlayXattr,
    noOpendir,
    passthrough,
    trustedXattrs: inInitialUserNamespace(),
  };
  const dataPassesBy = passthrough || overlayXattr !== undefined;
  return runThreads(data, options.threads ?? defaultThreads(dataPassesBy && !verify));
}

function defaultThreads(dataPassesBy: boolean): number {
  return dataPassesBy || availableParallelism() <= 2 ? 1 : 2;
}

async function runThreads(data: ServerData, count: number): Promise<void> {
  const deviceFds = devicesFor(data.deviceFd, count);
  const end = new AbortController();
  const objects = new ObjectFiles(data.objectsFd, new ObjectTable(data.table), data.verify);
  const hash = new BackgroundHash(objects, end.signal);
  const pending = new Set<Promise<void>>();
  const threads = deviceFds.map((deviceFd) => {
    // What the hash has found is remembered; an object without a place for that is hashed again, here.
    const server = imageServer({ ...data, deviceFd }, Number.POSITIVE_INFINITY);
    return runThread({ ...data, deviceFd }, (request) => {
      const answer = answerDeferred(deviceFd, server, hash, request).finally(() => pending.delete(answer));
      pending.add(answer);
    });
  });
  // Not sooner: a thread that still serves would read from whatever gets the number of its descriptor next.
  const closed = Promise.allSettled(threads).then(async () => {
    await Promise.allSettled(pending);
    for (const fd of new Set(deviceFds)) closeSync(fd);
  });
  try {
    await Promise.all(threads);
  } finally {
    end.abort();
  }
  await closed;
}

function answerDeferred(deviceFd: number, server: ImageServer, hash: BackgroundHash, request: Buffer): Promise<void> {
  return answerLater(deviceFd, server, request, (header) => hash.verify(server.inodeOf(header)));
}

function runThread(data: ServerData, onDeferred: (request: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const thread = new Thread(THREAD, {
      data,
      resourceLimits: THREAD_LIMITS,
      // A file may be opened in one thread and closed in another. Node would queue a warning for each, and a thread that
      // never returns to its event loop would keep them all.
      trackUnmanagedFds: false,
    });
    thread.onMessage(({ request }: DeferredRequest) =>
      onDeferred(Buffer.from(request.buffer, request.byteOffset, request.length)),
    );
    thread.onError(reject);
    thread.onExit(() => resolve());
  });
}

/** A descriptor for each thread, so that they do not wait for each other; all the same one where that cannot be had. */
function devicesFor(deviceFd: number, count: number): number[] {
  const fds = [deviceFd];
  try {
    while (fds.length < count) fds.push(cloneFuseDevice(deviceFd));
  } catch {
    // An ordinary user may have no access to the device itself.
  }
  return Array.from({ length: count }, (_, i) => fds[i] ?? deviceFd);
}

function mayPassThrough(): boolean {
  try {
    return hasCapability('CAP_SYS_ADMIN');
  } catch {
    return false;
  }
}

/** V2 images do not say. */
function mayHaveAcl({ header }: ErofsImage): boolean {
  return header.composefsVersion === 2 || (header.flags & FLAG_HAS_ACL) !== 0;
}
