import { unpackError } from '../../threads/error-transfer.js';
import { type ContentFailure, type ContentJob, type ContentResult, contentJob, FILE_CHANGED } from './file-contents.js';
import type { PendingFile } from './found-leaf.js';

/** Large files that were found, and perhaps more. */
export interface PendingFiles {
  readonly pending: readonly PendingFile[];
  /** Whether their xattrs are to be read, too. */
  readonly withXattrs: boolean;
  /** Looks for one more. False if there is none. @throws ScanError */
  findNext(): boolean;
  /** What it is by now counts. @throws ScanError */
  readChanged(file: PendingFile): void;
}

/** How much one takes at once. */
export interface Portion {
  readonly files: number;
  /** A larger file is taken alone. */
  readonly bytes: number;
}

/** A part of the queue. */
export interface TakenFiles {
  readonly job: ContentJob;
  /** Where in the order of the scan each file is. */
  readonly places: readonly number[];
}

/** A file that is larger is read first, by whoever has nothing else to do: else the others would wait for it at the end. */
const LARGE = 8 * 1024 * 1024;
/** Towards its end, all get such a part of the rest... */
const PART_OF_REST = 1 / 8;
/** ...and at least so many files. */
const FILES_MIN = 64;

/** Hands out the files of a scan, which goes on as they are asked for, and gives the tree what they hold. */
export class ContentQueue {
  readonly #files: PendingFiles;
  readonly #large: number[] = [];
  readonly #failures = new Map<number, ContentFailure>();
  /** Up to where files were handed out, or put off. */
  #next = 0;
  #isComplete = false;

  constructor(files: PendingFiles) {
    this.#files = files;
  }

  /** How many files have been found. */
  get found(): number {
    return this.#files.pending.length;
  }

  /** Looks for one more file. False if there is none. @throws ScanError */
  find(): boolean {
    if (!this.#isComplete) this.#isComplete = !this.#files.findNext();
    return !this.#isComplete;
  }

  /** Undefined if all are handed out. @throws ScanError */
  take(portion: Portion, largeFirst: boolean): TakenFiles | undefined {
    const large = largeFirst ? this.#large.shift() : undefined;
    if (large !== undefined) return this.#taken([large]);
    const places: number[] = [];
    const most = this.#isComplete ? this.#fairNumber(portion.files) : portion.files;
    for (let bytes = 0; places.length < most && bytes < portion.bytes; ) {
      const place = this.#nextPlace();
      if (place === undefined) break;
      const size = this.#fileAt(place).size;
      if (size <= LARGE) places.push(place);
      else if (largeFirst && places.length === 0) return this.#taken([place]);
      else this.#large.push(place);
      bytes += size <= LARGE ? size : 0;
    }
    if (places.length > 0) return this.#taken(places);
    const left = this.#large.shift();
    return left === undefined ? undefined : this.#taken([left]);
  }

  /** Gives the tree what was found out of the files of a part. */
  settle({ places }: TakenFiles, { ids, xattrs, failures }: ContentResult): void {
    for (const [index, place] of places.entries()) {
      const id = ids[index];
      const failure = failures.get(index);
      if (id !== undefined) this.#fileAt(place).resolve(id, xattrs.get(index));
      else if (failure !== undefined) this.#failures.set(place, failure);
      else throw new Error('a file without a result');
    }
  }

  /**
   * Reads again what has changed meanwhile, after the end.
   *
   * @param storingFailure makes an error of one that is not the file's, but that of the store.
   * @throws ScanError of the first in the order of the scan
   */
  finish(storingFailure: (cause: unknown) => unknown): void {
    for (const [place, { error, storing }] of [...this.#failures].sort(([one], [other]) => one - other)) {
      const file = this.#fileAt(place);
      // On a system at work files change all the time.
      if (!storing && error.code === FILE_CHANGED) this.#files.readChanged(file);
      else throw file.failure(storing ? storingFailure(unpackError(error)) : unpackError(error));
    }
  }

  #nextPlace(): number | undefined {
    if (this.#next === this.found && !this.find()) return undefined;
    return this.#next++;
  }

  #fairNumber(most: number): number {
    const part = Math.ceil((this.found - this.#next) * PART_OF_REST);
    return Math.min(most, Math.max(part, FILES_MIN));
  }

  #taken(places: readonly number[]): TakenFiles {
    const files = places.map((place) => this.#fileAt(place));
    return { job: contentJob(files, this.#files.withXattrs), places };
  }

  #fileAt(place: number): PendingFile {
    const file = this.#files.pending[place];
    if (file === undefined) throw new Error(`there is no file ${place}`);
    return file;
  }
}
