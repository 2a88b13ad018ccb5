import { lstatSync, type Stats } from 'node:fs';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import type { Turns } from '../../threads/turns.js';
import type { RepositoryHost } from '../repository/objects/host.js';
import { OBJECT_DIRECTORIES, OBJECTS } from '../repository/objects/object-directory.js';
import type { ReferenceGraph } from './reference-graph.js';

/** The unit of `st_blocks`, in bytes. */
const STAT_BLOCK = 512;

/** What some files take. */
export interface Usage {
  readonly count: number;
  /** Of their contents. */
  readonly bytes: number;
  /** On the disk, as `st_blocks` has it: what is gone with them. */
  readonly disk: number;
  /**
   * On the disk, but for files that have a name elsewhere as well, which stays when they go. Not in `disk`.
   */
  readonly linked: number;
}

/** A sum that grows. */
export class UsageSum implements Usage {
  count = 0;
  bytes = 0;
  disk = 0;
  linked = 0;

  add({ count, bytes, disk, linked }: Usage): this {
    this.count += count;
    this.bytes += bytes;
    this.disk += disk;
    this.linked += linked;
    return this;
  }

  addFile({ size, blocks, nlink }: Pick<Stats, 'size' | 'blocks' | 'nlink'>): this {
    this.count += 1;
    this.bytes += size;
    if (nlink > 1) this.linked += STAT_BLOCK * blocks;
    else this.disk += STAT_BLOCK * blocks;
    return this;
  }
}

/** The sizes of the objects of a graph, by their numbers. */
export class ObjectSizes {
  readonly #bytes: Float64Array;
  readonly #disk: Float64Array;
  /** 0: there is no such file; 1: there is; 2: it has another name elsewhere. */
  readonly #kinds: Uint8Array;

  private constructor(size: number) {
    this.#bytes = new Float64Array(size);
    this.#disk = new Float64Array(size);
    this.#kinds = new Uint8Array(size);
  }

  /** Looks at the files of all objects that references lead to. */
  static async measure(
    repository: RepositoryHost,
    graph: ReferenceGraph,
    turns: Turns,
    progress: ProgressReporter = nullReporter,
  ): Promise<ObjectSizes> {
    const sizes = new ObjectSizes(graph.size);
    let fetched = 0;
    progress.report({ type: 'started', id: OBJECTS, total: graph.size, unit: 'items' });
    const directories = Array.from({ length: OBJECT_DIRECTORIES }, (): number[] => []);
    for (let number = 0; number < graph.size; number++) directories[graph.directoryOf(number)]?.push(number);
    for (const [index, numbers] of directories.entries()) {
      if (turns.isOver()) await turns.next();
      progress.report({ type: 'progress', id: OBJECTS, fetched, total: graph.size });
      fetched += numbers.length;
      const directory = `${OBJECTS}/${index.toString(16).padStart(2, '0')}`;
      if (numbers.length === 0 || repository.root.lstat(directory) === undefined) continue;
      repository.root.within(directory, (self) => {
        for (const number of numbers) {
          sizes.#set(number, lstatSync(`${self}/${graph.idOf(number).slice(2)}`, { throwIfNoEntry: false }));
        }
      });
    }
    progress.report({ type: 'done', id: OBJECTS, transferred: graph.size });
    return sizes;
  }

  addTo(sum: UsageSum, number: number): void {
    const kind = this.#kinds[number] ?? 0;
    if (kind === 0) return;
    const disk = this.#disk[number] ?? 0;
    sum.count += 1;
    sum.bytes += this.#bytes[number] ?? 0;
    if (kind === 2) sum.linked += disk;
    else sum.disk += disk;
  }

  #set(number: number, stat: Stats | undefined): void {
    if (stat?.isFile() !== true) return;
    this.#bytes[number] = stat.size;
    this.#disk[number] = STAT_BLOCK * stat.blocks;
    this.#kinds[number] = stat.nlink > 1 ? 2 : 1;
  }
}
