import { mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ComposefsError, withContext } from '../../errors.js';
import { IO_BUFFER_SIZE, isErrno, readChunks, readInto, withFd, writeFully } from '../../fs/files.js';
import { OBJECT_TEMP_PREFIX } from '../../fs/random-name.js';
import { type StagedFile, StagingArea } from '../../fs/staged-file.js';
import { syncFileSystem } from '../../fs/sync-file-system.js';
import { ficlone } from '../../linux/ioctl.js';
import { runSteps, type Steps } from '../../threads/turns.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { computeVerity, measureFdSteps } from '../fsverity/digest.js';
import { type ObjectId, objectPathname } from '../fsverity/object-id.js';
import { ObjectVerity } from '../repository/objects/object-verity.js';
import type { SteppedFileStore } from './file-digests.js';

const OBJECT_MODE = 0o644;

/** The object directory of `mkcomposefs --digest-store`: `<store>/xx/yyyy…` (spec 10 §10.9). */
export class FlatDigestStore implements SteppedFileStore {
  readonly path: string;
  readonly #verity: ObjectVerity;
  readonly #staging: StagingArea;
  #buffer: Buffer | undefined;
  #mayReflink = true;

  private constructor(path: string, algorithm: HashAlgorithm, insecure: boolean) {
    this.path = path;
    this.#verity = new ObjectVerity(algorithm, insecure);
    this.#staging = new StagingArea((action) => action(path), OBJECT_TEMP_PREFIX);
  }

  /**
   * Opens the store, made if it is missing.
   *
   * @param insecure true: a file system without fs-verity is tolerated.
   */
  static open(path: string, algorithm: HashAlgorithm, insecure: boolean): FlatDigestStore {
    try {
      mkdirSync(path, { mode: 0o755 });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    return new FlatDigestStore(path, algorithm, insecure);
  }

  get algorithm(): HashAlgorithm {
    return this.#verity.algorithm;
  }

  /**
   * Stores the content of an open regular file, from its beginning. What is stored already is not written again.
   *
   * @param size what the file's size is expected to be; another size is `SIZE_MISMATCH`.
   */
  ensureObjectFromFd(fd: number, size: number): ObjectId {
    return runSteps(this.ensureObjectFromFdSteps(fd, size));
  }

  /** {@link ensureObjectFromFd}. */
  *ensureObjectFromFdSteps(fd: number, size: number): Steps<ObjectId> {
    // Nobody else has it meanwhile.
    const buffer = this.#buffer ?? Buffer.allocUnsafeSlow(IO_BUFFER_SIZE);
    this.#buffer = undefined;
    try {
      return yield* this.#storeSteps(fd, size, buffer);
    } finally {
      this.#buffer = buffer;
    }
  }

  *#storeSteps(fd: number, size: number, buffer: Buffer): Steps<ObjectId> {
    const small = size < buffer.length ? readWhole(fd, buffer) : undefined;
    const { id, size: actual } =
      small === undefined
        ? yield* measureFdSteps(this.algorithm, fd, buffer)
        : { id: computeVerity(this.algorithm, small), size: small.length };
    if (actual !== size) {
      throw new ComposefsError('SIZE_MISMATCH', `object size mismatch: expected ${size} bytes, got ${actual}`);
    }
    const path = `${this.path}/${objectPathname(id)}`;
    if (hasSize(path, size)) return id;
    const file = this.#staging.create(OBJECT_MODE);
    try {
      const isCertain = this.#reflink(file, fd) ? false : yield* fillSteps(file.fd, fd, small, buffer);
      const enabled = withContext('Enabling verity on tmpfile', () => this.#verity.enable(file, this.path));
      if (enabled) this.#verity.check(file.fd, id);
      // The source can have changed since it was hashed, our memory cannot.
      else if (!isCertain && (yield* measureFdSteps(this.algorithm, file.fd, buffer)).id !== id) throw changed();
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      // What a power cut left has another size.
      if (!file.place(path) && !hasSize(path, size)) file.replace(path, this.#staging);
      return id;
    } finally {
      file.discard();
    }
  }

  /** Makes all objects last over a crash. */
  sync(): void {
    withFd(openSync(this.path, 'r'), (fd) => syncFileSystem(fd, this.path));
  }

  #reflink(file: StagedFile, fd: number): boolean {
    if (!this.#mayReflink) return false;
    try {
      ficlone(file.fd, fd);
      return true;
    } catch (error) {
      if (!isErrno(error, 'EOPNOTSUPP', 'EXDEV', 'ENOTTY', 'EINVAL', 'ENOSYS', 'FFI_UNAVAILABLE')) throw error;
      // Sources can lie on several file systems, but then they are the exception.
      this.#mayReflink = false;
      return false;
    }
  }
}

/** The whole content, if it is smaller than the buffer that it then is in. */
function readWhole(fd: number, buffer: Buffer): Buffer | undefined {
  const length = readInto(fd, buffer, 0);
  return length < buffer.length ? buffer.subarray(0, length) : undefined;
}

/** Whether what was written is what was hashed: the content that is in memory. Else the source is read again. */
function* fillSteps(target: number, source: number, content: Buffer | undefined, buffer: Buffer): Steps<boolean> {
  if (content !== undefined) {
    writeFully(target, content);
    return true;
  }
  for (const chunk of readChunks(source, buffer)) {
    writeFully(target, chunk);
    yield;
  }
  return false;
}

function hasSize(path: string, size: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.size === size;
}

function changed(): ComposefsError {
  return new ComposefsError('FILE_CHANGED', 'File changed while it was read');
}
