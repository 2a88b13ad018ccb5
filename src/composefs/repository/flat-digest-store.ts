import { fstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { ComposefsError, withContext } from '../../errors.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { FsVerityHasher } from '../fsverity/hasher.js';
import { type ObjectId, objectPathname } from '../fsverity/object-id.js';
import { isErrno, readChunks, writeFully } from './files.js';
import { ObjectVerity } from './object-verity.js';
import { OBJECT_TEMP_PREFIX } from './random-name.js';
import { StagingArea } from './staged-file.js';

/** The object directory of `mkcomposefs --digest-store`: `<store>/xx/yyyy…` (spec 10 §10.9). */
export class FlatDigestStore {
  readonly path: string;
  readonly #verity: ObjectVerity;
  readonly #staging: StagingArea;

  private constructor(path: string, algorithm: HashAlgorithm, insecure: boolean) {
    this.path = path;
    this.#verity = new ObjectVerity(algorithm, insecure);
    this.#staging = new StagingArea(path, OBJECT_TEMP_PREFIX);
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
   * Stores the content of an open regular file, from its beginning.
   *
   * @param size what the file's size is expected to be; another size is `SIZE_MISMATCH`.
   */
  ensureObjectFromFd(fd: number, size: number): ObjectId {
    const hasher = new FsVerityHasher(this.algorithm);
    const file = this.#staging.create(0o644);
    try {
      for (const chunk of readChunks(fd)) {
        hasher.update(chunk);
        writeFully(file.fd, chunk);
      }
      const actual = fstatSync(file.fd).size;
      if (actual !== size) {
        throw new ComposefsError('SIZE_MISMATCH', `object size mismatch: expected ${size} bytes, got ${actual}`);
      }
      const id = hasher.digest();
      const enabled = withContext('Enabling verity on tmpfile', () => this.#verity.enable(file, this.path));
      if (enabled) this.#verity.check(file.fd, id);
      const path = `${this.path}/${objectPathname(id)}`;
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      file.place(path);
      return id;
    } finally {
      file.discard();
    }
  }
}
