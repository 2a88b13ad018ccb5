import { type BigIntStats, fstatSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { ComposefsError, withContext } from '../../../errors.js';
import { IO_BUFFER_SIZE, isErrno, readChunks, writeFully } from '../../../fs/files.js';
import type { StagedFile } from '../../../fs/staged-file.js';
import { syncFileSystem } from '../../../fs/sync-file-system.js';
import { ficlone } from '../../../linux/ioctl.js';
import { linkFd, linkOpenFile } from '../../../linux/link.js';
import { hasCapability } from '../../../linux/process.js';
import { inInitialUserNamespace } from '../../../system/user-namespace.js';
import { computeVerityOfFd } from '../../fsverity/digest.js';
import type { ObjectId } from '../../fsverity/object-id.js';
import { isPrivateDirectory, type Linker, linkRefusal } from './link-rules.js';
import type { ObjectDestination, StoredObject } from './stored-object.js';

export interface ImportOptions {
  /** Fail rather than copy (spec 10 §10.7, the zerocopy variant). */
  readonly zeroCopy?: boolean;
  /**
   * Whether others than the caller may be able to write the files. Then nothing becomes an object but what is hashed
   * when it cannot change any more.
   */
  readonly mayChange?: boolean;
}

/** What one bulk import learns on its way: make one and pass it to every call. */
export class ImportContext {
  readonly zeroCopy: boolean;
  readonly mayChange: boolean;
  readonly #devices = new WeakMap<ObjectDestination, number>();
  readonly #withoutReflink = new Set<string>();
  readonly #links = new Map<string, LinkPossibility>();
  #linker: Linker | undefined;
  #link: ((fd: number, path: string) => void) | undefined;
  #isPrivate: boolean | undefined;

  constructor(options: ImportOptions = {}) {
    this.zeroCopy = options.zeroCopy ?? false;
    this.mayChange = options.mayChange ?? false;
  }

  /** The device of the objects, whose directory is made if it is missing. */
  deviceOf(store: ObjectDestination): number {
    let device = this.#devices.get(store);
    if (device === undefined) {
      store.directory.make();
      device = store.directory.within((directory) => statSync(directory).dev);
      this.#devices.set(store, device);
    }
    return device;
  }

  /** @param devices source and destination. */
  mayReflink(devices: string): boolean {
    return !this.#withoutReflink.has(devices);
  }

  rememberNoReflink(devices: string): void {
    this.#withoutReflink.add(devices);
  }

  /**
   * Fails if no file can be linked from one device to the other.
   *
   * @param probe links a file for once; asked for the first file only.
   */
  requireLinks(devices: string, probe: () => void): void {
    let found = this.#links.get(devices);
    if (found === undefined) {
      found = tryLink(probe);
      this.#links.set(devices, found);
    }
    if (!found.isPossible) throw found.cause;
  }

  /** As whom files are linked. */
  get linker(): Linker {
    if (this.#linker !== undefined) return this.#linker;
    const uid = process.geteuid?.() ?? 0;
    this.#linker = { uid, isRoot: uid === 0 && inInitialUserNamespace() };
    return this.#linker;
  }

  /** Gives an open file one more name. Who has the capability needs neither `/proc` nor a right to the file. */
  get link(): (fd: number, path: string) => void {
    this.#link ??= this.linker.isRoot && hasCapability('CAP_DAC_READ_SEARCH') ? linkOpenFile : linkFd;
    return this.#link;
  }

  isPrivate(store: ObjectDestination): boolean {
    this.#isPrivate ??= store.directory.within((directory) => isPrivateDirectory(directory, this.linker.uid));
    return this.#isPrivate;
  }
}

type LinkPossibility = { readonly isPossible: true } | { readonly isPossible: false; readonly cause: unknown };

function tryLink(probe: () => void): LinkPossibility {
  try {
    probe();
    return { isPossible: true };
  } catch (cause) {
    // Anything else may be about that one file.
    if (isErrno(cause, 'EXDEV', 'EOPNOTSUPP', 'ENOSYS', 'FFI_UNAVAILABLE')) return { isPossible: false, cause };
    return { isPossible: true };
  }
}

/** What counts of what `fstat` says. */
export type FileState = Pick<BigIntStats, 'dev' | 'uid' | 'mode' | 'size' | 'ctimeNs' | 'mtimeNs'>;

/** What the caller has read of a file, from its beginning to its end. */
export interface KnownContent {
  readonly id: ObjectId;
  /** All of it, unless it is large. */
  readonly data: Buffer | undefined;
  /** What `fstat` said before it was read. */
  readonly before: FileState;
}

/**
 * Reflink, else hard link, else copy (spec 10 §10.7).
 *
 * @param content what is known of the file; another content is an error.
 * @throws ComposefsError `FILE_CHANGED`, `ZEROCOPY_FAILED`, `SIZE_MISMATCH`
 */
export function importFile(
  store: ObjectDestination,
  fd: number,
  size: number,
  context: ImportContext,
  content?: KnownContent,
): StoredObject {
  const known: StoredObject | undefined = content && { id: content.id, size, method: 'already-present' };
  const isThere = (): boolean => content !== undefined && store.hasSize(content.id, size);
  const stat: FileState = content?.before ?? fstatSync(fd, { bigint: true });
  const devices = `${stat.dev}:${context.deviceOf(store)}`;
  // A link says so itself if the name is taken; everything else would cost more than to ask.
  const asksFirst = context.mayReflink(devices) || !store.verity.unavailable;
  if (known !== undefined && (asksFirst ? isThere() : store.awaitsName(known.id))) return known;
  const reflinked = tryReflink(store, fd, size, devices, context, content);
  if (reflinked !== undefined) return reflinked;
  try {
    return hardlink(store, fd, stat, devices, context, content);
  } catch (cause) {
    if (known !== undefined && isThere()) return known;
    if (context.zeroCopy) {
      throw new ComposefsError(
        'ZEROCOPY_FAILED',
        'reflink and hardlink both failed; copy fallback is disabled (zerocopy mode)',
        { cause },
      );
    }
  }
  if (content?.data !== undefined) return store.storeObject(content.data);
  return copy(store, fd, content);
}

/** A reflinked file is an inode of its own: later changes to the source do not reach it. */
function tryReflink(
  store: ObjectDestination,
  fd: number,
  size: number,
  devices: string,
  context: ImportContext,
  content: KnownContent | undefined,
): StoredObject | undefined {
  if (!context.mayReflink(devices)) return undefined;
  const file = store.stage(0o644);
  try {
    try {
      withContext('Reflinking source file to objects directory', () => ficlone(file.fd, fd));
    } catch (error) {
      if (isErrno(error, 'EOPNOTSUPP', 'EXDEV', 'ENOTTY', 'FFI_UNAVAILABLE')) context.rememberNoReflink(devices);
      // These are about the one file, such as one that is a swap file.
      else if (!isErrno(error, 'EINVAL', 'EPERM', 'ETXTBSY')) throw error;
      return undefined;
    }
    const actual = fstatSync(file.fd).size;
    if (actual !== size) {
      throw new ComposefsError('SIZE_MISMATCH', `Reflink size mismatch: expected ${size} bytes, got ${actual}`);
    }
    const stored = finalize(store, file, isUnchanged(fd, context, content) ? content?.id : undefined, content);
    return stored.method === 'copied' ? { ...stored, method: 'reflinked' } : stored;
  } finally {
    file.discard();
  }
}

/** A clock of the kernel that file times are taken from may stand still for so long, in nanoseconds. */
const CLOCK_TICK_NS = 20_000_000n;

/** Whether what was read is certainly what the file had when it was cloned, so that it need not be hashed again. */
function isUnchanged(fd: number, context: ImportContext, content: KnownContent | undefined): boolean {
  if (content === undefined || context.mayChange) return false;
  const { before } = content;
  const after = fstatSync(fd, { bigint: true });
  if (after.size !== before.size || after.ctimeNs !== before.ctimeNs || after.mtimeNs !== before.mtimeNs) return false;
  // A change within one tick of the clock would not show.
  return BigInt(Date.now()) * 1_000_000n - before.ctimeNs > CLOCK_TICK_NS;
}

/** Spec 10 §10.8. The object is the source's own inode, with its owner and mode. */
function hardlink(
  store: ObjectDestination,
  fd: number,
  stat: FileState,
  devices: string,
  context: ImportContext,
  content: KnownContent | undefined,
): StoredObject {
  const size = Number(stat.size);
  const { link } = context;
  context.requireLinks(devices, () => {
    // Mounts of one file system have the same device, but no links lead from one to the other.
    store.staging.nameFile(fd, link)(unlinkSync);
    // What gets the name of an object is on disk before it: who has written the files may not have seen to that.
    syncFileSystem(fd, 'the file system of the source');
  });
  const require = (isImmutable: boolean): void =>
    requireLinkable(fd, stat, context, context.isPrivate(store), isImmutable);
  let isImmutable = false;
  if (!store.verity.unavailable) {
    require(true);
    // In place, never on a copy: the object is to be this very inode.
    isImmutable = store.verity.enableInPlace(fd);
  }
  require(isImmutable);
  const id = isImmutable ? store.verity.measure(fd) : (content?.id ?? computeVerityOfFd(store.algorithm, fd));
  requireContent(id, content);
  if (content === undefined && store.hasSize(id, size)) return { id, size, method: 'already-present' };
  try {
    store.directory.nameObject(id, (path) => link(fd, path));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    if (store.hasSize(id, size)) return { id, size, method: 'already-present' };
    const temporary = store.staging.nameFile(fd, link);
    store.directory.nameObject(id, (path) => temporary((from) => renameSync(from, path)));
  }
  return { id, size, method: 'hardlinked' };
}

/** Fails unless the file itself may become an object. */
function requireLinkable(
  fd: number,
  { uid, mode }: FileState,
  context: ImportContext,
  isPrivate: boolean,
  isImmutable: boolean,
): void {
  const { linker, mayChange } = context;
  const refusal =
    mayChange && !isImmutable
      ? 'others may be able to change it'
      : linkRefusal({ fd, stat: { uid: Number(uid), mode: Number(mode) }, linker, isPrivate, isImmutable });
  if (refusal !== undefined) throw new ComposefsError('EPERM', `a hard link is refused: ${refusal}`);
}

function copy(store: ObjectDestination, fd: number, content: KnownContent | undefined): StoredObject {
  const file = store.stage(0o644);
  try {
    for (const chunk of readChunks(fd, Buffer.allocUnsafe(IO_BUFFER_SIZE))) writeFully(file.fd, chunk);
    return finalize(store, file, undefined, content);
  } finally {
    file.discard();
  }
}

/**
 * Names a complete staged file (spec 10 §10.4 and §10.5).
 *
 * @param known its digest, where it need not be found out.
 */
function finalize(
  store: ObjectDestination,
  file: StagedFile,
  known: ObjectId | undefined,
  content: KnownContent | undefined,
): StoredObject {
  const enabled = withContext('Enabling verity on tmpfile', () => store.enableVerity(file));
  const id = enabled ? store.verity.measure(file.fd) : (known ?? computeVerityOfFd(store.algorithm, file.fd));
  requireContent(id, content);
  const { size } = fstatSync(file.fd);
  if (store.hasSize(id, size) || !store.place(file, id, size)) return { id, size, method: 'already-present' };
  return { id, size, method: 'copied' };
}

function requireContent(id: ObjectId, content: KnownContent | undefined): void {
  if (content === undefined || id === content.id) return;
  throw new ComposefsError('FILE_CHANGED', 'the file has changed since it was read');
}
