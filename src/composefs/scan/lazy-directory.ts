import { availableParallelism } from 'node:os';
import { readXattrs } from '../../linux/xattr.js';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import { Turns } from '../../threads/turns.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { Directory, Leaf } from '../tree/inode.js';
import { FileDigests } from './file-digests.js';
import type { PendingFile } from './found-leaf.js';
import { LazyStore, readPendingFiles } from './read-directory.js';
import { FilesystemScan } from './scan.js';

/** What is read before a thread would have started. */
const FEW_FILES = 64;
const FEW_BYTES = 1024 * 1024;

export interface LazyDirectoryOptions {
  readonly algorithm: HashAlgorithm;
  readonly signal?: AbortSignal | undefined;
  /** Told how many files have been read. */
  readonly progress?: ProgressReporter | undefined;
}

/**
 * The tree below a directory, of which the contents of large files are read when somebody needs them: until then such a
 * file of the tree is sparse.
 */
export class LazyDirectory {
  readonly root: Directory;
  readonly algorithm: HashAlgorithm;
  readonly #scan: FilesystemScan;
  readonly #pending: Map<Leaf, PendingFile>;
  readonly #path: string;
  readonly #progress: ProgressReporter;

  private constructor(
    path: string,
    scan: FilesystemScan,
    pending: readonly PendingFile[],
    { algorithm, progress }: LazyDirectoryOptions,
  ) {
    this.root = scan.root;
    this.algorithm = algorithm;
    this.#path = path;
    this.#progress = progress ?? nullReporter;
    this.#scan = scan;
    this.#pending = new Map(pending.map((file) => [file.leaf, file]));
  }

  /** @throws ScanError */
  static async scan(path: string, options: LazyDirectoryOptions): Promise<LazyDirectory> {
    const { algorithm, signal } = options;
    const turns = new Turns(signal);
    const pending: PendingFile[] = [];
    // Xattrs are compared where contents are not.
    const scan = new FilesystemScan(path, { algorithm, readXattrs, store: new FileDigests(algorithm) }, pending);
    try {
      while (scan.step()) if (turns.isOver()) await turns.next();
      return new LazyDirectory(path, scan, pending, options);
    } finally {
      scan.close();
    }
  }

  /** Whether the content is not known yet. */
  isUnread(leaf: Leaf): boolean {
    return this.#pending.has(leaf);
  }

  /**
   * Reads what was not read yet of these files.
   *
   * @throws ScanError
   */
  async read(leaves: Iterable<Leaf>, signal?: AbortSignal): Promise<void> {
    const files = new Set<PendingFile>();
    for (const leaf of leaves) {
      const file = this.#pending.get(leaf);
      if (file !== undefined) files.add(file);
    }
    const pending = [...files];
    const found = {
      pending,
      withXattrs: false,
      findNext: () => false,
      readChanged: (file: PendingFile) => this.#scan.readChanged(file),
    };
    const bytes = pending.reduce((sum, { size }) => sum + size, 0);
    const isLittle = pending.length <= FEW_FILES && bytes <= FEW_BYTES;
    const id = this.#path;
    let fetched = 0;
    if (!isLittle) this.#progress.report({ type: 'started', id, total: pending.length, unit: 'items' });
    await readPendingFiles(found, new LazyStore({ kind: 'none', algorithm: this.algorithm }), {
      threads: isLittle ? 0 : availableParallelism(),
      signal,
      onRead: (count) => {
        fetched += count;
        this.#progress.report({ type: 'progress', id, fetched, total: pending.length });
      },
    });
    if (!isLittle) this.#progress.report({ type: 'done', id, transferred: pending.length });
    for (const { leaf } of pending) this.#pending.delete(leaf);
  }
}
