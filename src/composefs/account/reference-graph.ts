import { nullReporter, type ProgressReporter } from '../../progress.js';
import { runInTurns, Turns } from '../../threads/turns.js';
import { digestSize, type HashAlgorithm } from '../fsverity/algorithm.js';
import { ObjectIdTable } from '../fsverity/id-table.js';
import { type ObjectId, objectIdToBytes } from '../fsverity/object-id.js';
import { isSplitStream, readStreamLinks } from '../repository/gc/gc-live.js';
import { type CollectedRef, collectCategorySteps } from '../repository/gc/gc-roots.js';
import { CATEGORIES, type Category } from '../repository/names/category.js';
import type { RepositoryHost } from '../repository/objects/host.js';
import { objectsOfImage } from './objects-of-image.js';

/** How the references of a repository are followed. */
export interface GraphOptions {
  readonly signal?: AbortSignal | undefined;
  /** 0: the objects of named images are found by this thread, which is blocked meanwhile. Default 1. */
  readonly threads?: number | undefined;
  /** Told how many streams have been read. */
  readonly progress?: ProgressReporter | undefined;
  /** Of the objects of streams and images only this one is wanted: a fraction of the work. */
  readonly only?: ObjectId | undefined;
}

/** A reference, what it names, and the object that this is. */
export interface GraphRoot extends CollectedRef {
  readonly category: Category;
  readonly id: ObjectId;
}

/** The references that name one entry: it goes when all of them are gone. */
export interface RootGroup {
  readonly category: Category;
  /** The name of the entry. */
  readonly name: string;
  readonly id: ObjectId;
  /** Paths in the repository. */
  readonly refs: readonly string[];
}

/** A splitstream that a reference leads to. Numbers are those of objects: {@link ReferenceGraph.idOf}. */
export interface GraphStream {
  /** Its entry in `streams/`; undefined if it has none. */
  readonly name: string | undefined;
  readonly contentType: bigint;
  readonly objects: Uint32Array;
  /** Streams and images, by the keys of the stream. */
  readonly named: ReadonlyMap<string, number>;
}

const NONE = new Uint32Array(0);

/**
 * What leads to what in a repository, from the references down: exactly what a garbage collection would follow (spec 10
 * §17). Objects have numbers, as there may be millions.
 */
export class ReferenceGraph {
  readonly roots: readonly GraphRoot[];
  /** All entries with the objects that they link to, by name, also those that no reference leads to. */
  readonly entries: Readonly<Record<Category, ReadonlyMap<string, ObjectId>>>;
  readonly #ids: ObjectIdTable;
  readonly #streams = new Map<number, GraphStream>();
  readonly #images = new Map<number, Uint32Array>();
  readonly #digestSize: number;
  /** Its digest. */
  readonly #only: Buffer | undefined;

  private constructor(
    roots: readonly GraphRoot[],
    entries: ReferenceGraph['entries'],
    algorithm: HashAlgorithm,
    only: ObjectId | undefined,
  ) {
    this.roots = roots;
    this.entries = entries;
    this.#digestSize = digestSize(algorithm);
    this.#ids = new ObjectIdTable(this.#digestSize);
    this.#only = only === undefined ? undefined : objectIdToBytes(only);
  }

  /**
   * Reads references, entries, and the streams that they lead to.
   *
   * @throws ComposefsError where a collection would fail as well: `DANGLING_REF`, `UNEXPECTED_FILE_TYPE`, …
   */
  static async read(repository: RepositoryHost, options: GraphOptions = {}): Promise<ReferenceGraph> {
    const turns = new Turns(options.signal);
    const collected = {
      images: await runInTurns(collectCategorySteps(repository, 'images', new Set()), options.signal),
      streams: await runInTurns(collectCategorySteps(repository, 'streams', new Set()), options.signal),
    };
    const roots = CATEGORIES.flatMap((category) =>
      collected[category].refs.flatMap(({ ref, name }) => {
        const id = collected[category].entries.get(name);
        return id === undefined ? [] : { category, ref, name, id };
      }),
    );
    const entries = { images: collected.images.entries, streams: collected.streams.entries };
    const graph = new ReferenceGraph(roots, entries, repository.objects.algorithm, options.only);
    await graph.#readStreams(repository, turns, options.progress);
    await graph.#readImages(repository, options);
    return graph;
  }

  /** How many objects have numbers: 0 up to this. */
  get size(): number {
    return this.#ids.size;
  }

  idOf(number: number): ObjectId {
    return this.#ids.at(number);
  }

  /** The number of the directory `objects/xx` of an object. */
  directoryOf(number: number): number {
    return this.#ids.firstByteAt(number);
  }

  /** Undefined if no reference leads to the object. */
  numberOf(id: ObjectId): number | undefined {
    return this.#ids.lookup(id);
  }

  /** Undefined if the object is no splitstream. */
  stream(number: number): GraphStream | undefined {
    return this.#streams.get(number);
  }

  /** The objects that a named image needs; none of others, which keep nothing alive by themselves. */
  imageObjects(number: number): Uint32Array {
    return this.#images.get(number) ?? NONE;
  }

  /** The splitstreams with their numbers. */
  streams(): IterableIterator<[number, GraphStream]> {
    return this.#streams.entries();
  }

  /** The references by what they name. */
  groups(): RootGroup[] {
    const groups = new Map<string, RootGroup & { readonly refs: string[] }>();
    for (const { category, name, id, ref } of this.roots) {
      const key = `${category}/${name}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { category, name, id, refs: [ref] });
      else group.refs.push(ref);
    }
    return [...groups.values()];
  }

  async #readStreams(
    repository: RepositoryHost,
    turns: Turns,
    progress: ProgressReporter = nullReporter,
  ): Promise<void> {
    const names = new Map<ObjectId, string>();
    for (const [name, id] of this.entries.streams) names.set(id, name);
    const pending: ObjectId[] = [];
    const reached = new Set<ObjectId>();
    const reach = (id: ObjectId): void => {
      if (reached.has(id)) return;
      reached.add(id);
      this.#ids.add(id);
      if (names.has(id) || isSplitStream(repository, id)) pending.push(id);
    };
    for (const { category, id } of this.roots) if (category === 'streams') reach(id);
    let fetched = 0;
    progress.report({ type: 'started', id: 'streams', unit: 'items', total: pending.length });
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      if (turns.isOver()) {
        progress.report({ type: 'progress', id: 'streams', fetched, total: fetched + pending.length });
        await turns.next();
      }
      fetched += 1;
      if (!repository.objects.has(id)) continue;
      const { contentType, objectBytes, named } = readStreamLinks(repository, names.get(id) ?? id, id);
      this.#streams.set(this.#ids.add(id), {
        name: names.get(id),
        contentType,
        objects: this.#numbered(objectBytes),
        named: new Map([...named].map(([key, target]) => [key, this.#ids.add(target)])),
      });
      for (const target of named.values()) reach(target);
    }
    progress.report({ type: 'done', id: 'streams', transferred: fetched });
  }

  async #readImages(repository: RepositoryHost, options: GraphOptions): Promise<void> {
    for (const { category, name, id } of this.roots) {
      if (category !== 'images') continue;
      const number = this.#ids.add(id);
      if (this.#images.has(number) || !repository.objects.has(id)) continue;
      this.#images.set(number, this.#numbered(await objectsOfImage(repository, name, options)));
    }
  }

  /** The numbers of objects whose digests lie one after the other. */
  #numbered(digests: Buffer): Uint32Array {
    const size = this.#digestSize;
    const only = this.#only;
    const numbers = new Uint32Array(only === undefined ? digests.length / size : 1);
    for (let start = 0; start < digests.length; start += size) {
      if (only === undefined) numbers[start / size] = this.#ids.addBytes(digests, start);
      else if (digests.compare(only, 0, size, start, start + size) === 0) {
        numbers[0] = this.#ids.addBytes(digests, start);
        return numbers;
      }
    }
    return only === undefined ? numbers : NONE;
  }
}
