import { withContext } from '../../../errors.js';
import { withFd } from '../../../fs/files.js';
import type { StagedFile } from '../../../fs/staged-file.js';
import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import {
  CompareVerityError,
  EnableVerityError,
  enableVerityMaybeCopy,
  enableVerityWithRetry,
  ensureVerityEqual,
  MeasureVerityError,
  measureVerity,
  measureVerityOpt,
} from '../../fsverity/kernel.js';
import type { ObjectId } from '../../fsverity/object-id.js';

/**
 * fs-verity on the objects of one repository: what must hold in secure mode and what is tolerated in insecure mode
 * (spec 10 §9).
 *
 * Insecure does not mean without: verity is enabled wherever the file system has it, and verity that is there and
 * differs is an error in both modes. That the file system has none is found out once, as asking costs as much as
 * writing a small file.
 */
export class ObjectVerity {
  readonly algorithm: HashAlgorithm;
  readonly insecure: boolean;
  readonly #fileSystem: { lacksVerity: boolean };

  /** @param fileSystem keeps what was found out, for others too. */
  constructor(algorithm: HashAlgorithm, insecure: boolean, fileSystem = { lacksVerity: false }) {
    this.algorithm = algorithm;
    this.insecure = insecure;
    this.#fileSystem = fileSystem;
  }

  /** Insecure mode on a file system without fs-verity: there is nothing to enable and nothing to measure. */
  get unavailable(): boolean {
    return this.insecure && this.#fileSystem.lacksVerity;
  }

  /**
   * Enables verity on a complete file, or on a copy of it if some process still has it open for writing. The
   * descriptor of `file` is read-only afterwards.
   *
   * @returns false where the file system has no fs-verity and the repository does not insist.
   * @throws EnableVerityError
   */
  enable(file: StagedFile, directory: string): boolean {
    if (this.unavailable) return false;
    file.reopenReadOnly();
    return this.#enabled(() => {
      const copy = enableVerityMaybeCopy(directory, file.fd, this.algorithm);
      if (copy !== undefined) file.replaceBy(copy);
    });
  }

  /** {@link enable} on the very inode of an open file, which may be somebody else's too. */
  enableInPlace(fd: number): boolean {
    if (this.unavailable) return false;
    return this.#enabled(() => enableVerityWithRetry(fd, this.algorithm));
  }

  /**
   * Requires that the kernel vouches for the file's content, as far as the mode demands it.
   *
   * @returns `verified`, or in insecure mode `missing` or `unsupported`.
   * @throws CompareVerityError
   */
  check(fd: number, id: ObjectId): 'verified' | 'missing' | 'unsupported' {
    if (this.unavailable) return 'unsupported';
    try {
      ensureVerityEqual(fd, id, this.algorithm);
      return 'verified';
    } catch (error) {
      const cause = error instanceof CompareVerityError ? error.cause : error;
      if (this.#tolerates(cause)) return 'unsupported';
      if (this.#mayMiss(cause)) return 'missing';
      throw error;
    }
  }

  /** Whether the file has verity of the repository's algorithm; another algorithm is a MeasureVerityError. */
  isEnabled(fd: number): boolean {
    return !this.unavailable && measureVerityOpt(fd, this.algorithm) !== undefined;
  }

  /**
   * What the kernel measures.
   *
   * @throws MeasureVerityError also where there is no verity.
   */
  measure(fd: number): ObjectId {
    return measureVerity(fd, this.algorithm);
  }

  /**
   * What the kernel measures; if it does not vouch for the file, whether that is as good as the mode demands
   * (see {@link check}).
   */
  measureIfPossible(fd: number): ObjectId | 'tolerated' | 'refused' {
    if (this.unavailable) return 'tolerated';
    try {
      return this.measure(fd);
    } catch (error) {
      return this.#tolerates(error) || this.#mayMiss(error) ? 'tolerated' : 'refused';
    }
  }

  /**
   * Gives an object that was stored without verity the verity that the file system has by now (spec 10 §10.2 step 2).
   */
  adopt(fd: number, id: ObjectId, directory: string): void {
    withContext('Enabling verity on existing object', () => {
      const copy = enableVerityMaybeCopy(directory, fd, this.algorithm);
      // A copy is only measured: the object in place keeps its inode.
      if (copy === undefined) ensureVerityEqual(fd, id, this.algorithm);
      else withFd(copy, () => ensureVerityEqual(copy, id, this.algorithm));
    });
  }

  #enabled(enable: () => void): boolean {
    try {
      enable();
      return true;
    } catch (error) {
      if (error instanceof EnableVerityError && error.kind === 'already-enabled') return true;
      if (!this.#tolerates(error)) throw error;
      return false;
    }
  }

  /** Insecure mode, and a file that somebody has stored without verity. */
  #mayMiss(error: unknown): boolean {
    return this.insecure && error instanceof MeasureVerityError && error.kind === 'verity-missing';
  }

  #tolerates(error: unknown): boolean {
    const unsupported =
      (error instanceof EnableVerityError || error instanceof MeasureVerityError) &&
      error.kind === 'filesystem-not-supported';
    if (unsupported) this.#fileSystem.lacksVerity = true;
    return unsupported && this.insecure;
  }
}
