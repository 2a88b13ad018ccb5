import { fstatSync, renameSync, statSync } from 'node:fs';
import { ComposefsError, withContext } from '../../../errors.js';
import { IO_BUFFER_SIZE, isErrno, readChunks, writeFully } from '../../../fs/files.js';
import type { StagedFile } from '../../../fs/staged-file.js';
import { hasCapability } from '../../../linux/capability.js';
import { ficlone } from '../../../linux/clone.js';
import { linkOpenFile } from '../../../linux/link.js';
import { computeVerityOfFd } from '../../fsverity/digest.js';
import type { ObjectDestination, StoredObject } from './stored-object.js';

export interface ImportOptions {
  /** Fail rather than copy (spec 10 §10.7, the zerocopy variant). */
  readonly zeroCopy?: boolean;
}

/** What one bulk import learns on its way: make one and pass it to every call. */
export class ImportContext {
  readonly zeroCopy: boolean;
  readonly #withoutReflink = new Set<string>();

  constructor(options: ImportOptions = {}) {
    this.zeroCopy = options.zeroCopy ?? false;
  }

  /** @param devices source and destination. */
  mayReflink(devices: string): boolean {
    return !this.#withoutReflink.has(devices);
  }

  rememberNoReflink(devices: string): void {
    this.#withoutReflink.add(devices);
  }
}

/** Reflink, else hard link, else copy (spec 10 §10.7). */
export function importFile(store: ObjectDestination, fd: number, size: number, context: ImportContext): StoredObject {
  const reflinked = tryReflink(store, fd, size, context);
  if (reflinked !== undefined) return reflinked;
  try {
    return hardlink(store, fd, size);
  } catch (cause) {
    if (context.zeroCopy) {
      throw new ComposefsError(
        'ZEROCOPY_FAILED',
        'reflink and hardlink both failed; copy fallback is disabled (zerocopy mode)',
        { cause },
      );
    }
  }
  return copy(store, fd);
}

/** A reflinked file is an inode of its own: later changes to the source do not reach it. */
function tryReflink(
  store: ObjectDestination,
  fd: number,
  size: number,
  context: ImportContext,
): StoredObject | undefined {
  store.makeObjectsDirectory();
  const devices = `${fstatSync(fd).dev}:${store.within((directory) => statSync(directory).dev)}`;
  if (!context.mayReflink(devices)) return undefined;
  const file = store.stage(0o644);
  try {
    try {
      withContext('Reflinking source file to objects directory', () => ficlone(file.fd, fd));
    } catch (error) {
      if (!isErrno(error, 'EOPNOTSUPP', 'EXDEV', 'ENOTTY', 'FFI_UNAVAILABLE')) throw error;
      context.rememberNoReflink(devices);
      return undefined;
    }
    const actual = fstatSync(file.fd).size;
    if (actual !== size) {
      throw new ComposefsError('SIZE_MISMATCH', `Reflink size mismatch: expected ${size} bytes, got ${actual}`);
    }
    const stored = finalize(store, file);
    return stored.method === 'copied' ? { ...stored, method: 'reflinked' } : stored;
  } finally {
    file.discard();
  }
}

/** Spec 10 §10.8. The object is the source's own inode, with its owner and mode. */
function hardlink(store: ObjectDestination, fd: number, size: number): StoredObject {
  if (!hasCapability('CAP_DAC_READ_SEARCH')) {
    throw new ComposefsError('EPERM', 'hard links to open files need CAP_DAC_READ_SEARCH');
  }
  // In place, never on a copy: the object is to be this very inode.
  const id = store.verity.enableInPlace(fd) ? store.verity.measure(fd) : computeVerityOfFd(store.algorithm, fd);
  const { size: actual } = fstatSync(fd);
  if (store.hasSize(id, actual)) return { id, size, method: 'already-present' };
  try {
    store.nameObject(id, (path) => linkOpenFile(fd, path));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    if (store.hasSize(id, actual)) return { id, size, method: 'already-present' };
    const temporary = store.staging.nameFile(fd, linkOpenFile);
    store.nameObject(id, (path) => temporary((from) => renameSync(from, path)));
  }
  return { id, size, method: 'hardlinked' };
}

function copy(store: ObjectDestination, fd: number): StoredObject {
  const file = store.stage(0o644);
  try {
    for (const chunk of readChunks(fd, Buffer.allocUnsafe(IO_BUFFER_SIZE))) writeFully(file.fd, chunk);
    return finalize(store, file);
  } finally {
    file.discard();
  }
}

/** Names a complete staged file whose digest is not known yet (spec 10 §10.4 and §10.5). */
function finalize(store: ObjectDestination, file: StagedFile): StoredObject {
  const enabled = withContext('Enabling verity on tmpfile', () => store.enableVerity(file));
  const id = enabled ? store.verity.measure(file.fd) : computeVerityOfFd(store.algorithm, file.fd);
  const { size } = fstatSync(file.fd);
  if (store.hasSize(id, size) || !store.place(file, id, size)) return { id, size, method: 'already-present' };
  return { id, size, method: 'copied' };
}
