import { mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ComposefsError, withContext } from '../../errors.js';
import { IO_BUFFER_SIZE, isErrno, readChunks, readInto, withFd, writeFully } from '../../fs/files.js';
import { OBJECT_TEMP_PREFIX } from '../../fs/random-name.js';
import { type StagedFile, StagingArea } from '../../fs/staged-file.js';
import { syncFileSystem } from '../../fs/sync-file-system.js';
import { ficlone } from '../../linux/ioctl.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { computeVerity, measureFd } from '../fsverity/digest.js';
import { type ObjectId, objectPathname } from '../fsverity/object-id.js';
import { ObjectVerity } from '../repository/objects/object-verity.js';

const OBJECT_MODE = 0o644;

/** The object directory of `mkcomposefs --digest-store`: `<store>/xx/yyyy…` (spec 10 §10.9). */
export class FlatDigestStore {
  readonly path: string;
  readonly #verity: ObjectVerity;
  readonly #staging: StagingArea;
  readonly #buffer: Buffer = Buffer.allocUnsafeSlow(IO_BUFFER_SIZE);
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
    const small = size < IO_BUFFER_SIZE ? this.#readSmall(fd) : undefined;
    const { id, size: actual } =
      small === undefined
        ? measureFd(this.algorithm, fd, this.#buffer)
        : { id: computeVerity(this.algorithm, small), size: small.length };
    if (actual !== size) {
      throw new ComposefsError('SIZE_MISMATCH', `object size mismatch: expected ${size} bytes, got ${actual}`);
    }
    const path = `${this.path}/${objectPathname(id)}`;
    if (hasSize(path, size)) return id;
    const file = this.#staging.create(OBJECT_MODE);
    try {
      const method = this.#fill(file, fd, small);
      const enabled = withContext('Enabling verity on tmpfile', () => this.#verity.enable(file, this.path));
      if (enabled) this.#verity.check(file.fd, id);
      // The source can have changed since it was hashed, our memory cannot.
      else if (method !== 'from-memory' && measureFd(this.algorithm, file.fd, this.#buffer).id !== id) throw changed();
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

  /** The whole content, if it is smaller than the buffer that it then is in. */
  #readSmall(fd: number): Buffer | undefined {
    const length = readInto(fd, this.#buffer, 0);
    return length < IO_BUFFER_SIZE ? this.#buffer.subarray(0, length) : undefined;
  }

  #fill(file: StagedFile, fd: number, small: Buffer | undefined): 'reflink' | 'from-memory' | 'copy' {
    if (this.#reflink(file, fd)) return 'reflink';
    if (small !== undefined) {
      writeFully(file.fd, small);
      return 'from-memory';
    }
    for (const chunk of readChunks(fd, this.#buffer)) writeFully(file.fd, chunk);
    return 'copy';
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

function hasSize(path: string, size: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.size === size;
}

function changed(): ComposefsError {
  return new ComposefsError('FILE_CHANGED', 'File changed while it was read');
}
