import { ReferenceGraph, type RootGroup } from '../../composefs/account/reference-graph.js';
import { Shares } from '../../composefs/account/shares.js';
import { ObjectSizes, type Usage, UsageSum } from '../../composefs/account/usage.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { ProgressReporter } from '../../progress.js';
import { Turns } from '../../threads/turns.js';
import type { OciDigest } from '../model/digest.js';
import { MANIFEST_STREAM_PREFIX } from '../store/identifiers.js';
import { OciImage } from '../store/image.js';
import { manifestDigestOf, tagOfRef } from '../store/tags.js';

/** What something takes, and how much of that it shares. */
export interface SharedUsage {
  /** All objects that it needs. `shared` and `unique` together. */
  readonly size: Usage;
  /** Those that something else needs as well. */
  readonly shared: Usage;
  readonly unique: Usage;
}

/** What one layer takes on the disk. */
export interface LayerUsage extends SharedUsage {
  /** The diff_id; the digest of the blob in artifacts. */
  readonly layer: string;
  /** What would go of the layer with its image: see {@link ImageUsage.freed}. */
  readonly freed: Usage;
}

/** What one image, or another thing with references, takes on the disk. */
export interface ImageUsage extends SharedUsage {
  /** What it is called: its first tag, its digest, or the path of its first reference. */
  readonly name: string;
  /** Of an OCI image. */
  readonly manifestDigest: OciDigest | undefined;
  readonly tags: readonly string[];
  /** Further references that name it, as paths in the repository. */
  readonly otherRefs: readonly string[];
  /**
   * What a garbage collection would free after all of its tags, or its references in `images/refs`, are removed: objects.
   * Nothing while other references name it. What is garbage already is not counted.
   */
  readonly freed: Usage;
  /** The tags, or references, and the links in `streams/` and `images/` to what is freed. */
  readonly freedLinks: Usage;
  /** In their order; none where `layers` was not asked for. */
  readonly layers: readonly LayerUsage[];
}

/** What images take on the disk, each and together. */
export interface StoreUsage {
  /** Those that were asked for, each once, in that order. */
  readonly images: readonly ImageUsage[];
  /** Of these together: what they share among themselves counts once, and is freed with the last of them. */
  readonly total: SharedUsage & Pick<ImageUsage, 'freed' | 'freedLinks'>;
}

/** Of which images the usage is told. */
export interface ImageUsageOptions {
  /** Default: all that references name: OCI images by tag, then other streams and images by reference. */
  readonly images?: readonly OciImage[] | undefined;
  /** Whether the layers of images are measured as well. */
  readonly layers?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** 0: this thread does all the work. Default 1. */
  readonly threads?: number | undefined;
  /** Told how many objects have been looked at. */
  readonly progress?: ProgressReporter | undefined;
}

/**
 * What images take on the disk, what of that they share with others, and what would be free without them.
 *
 * @throws ComposefsError what a garbage collection would throw
 */
export async function imageUsage(repo: ReadableRepository, options: ImageUsageOptions = {}): Promise<StoreUsage> {
  return await repo.hold(async () => {
    const turns = new Turns(options.signal);
    const graph = await ReferenceGraph.read(repo, options);
    const shares = await Shares.count(graph, turns);
    const sizes = await ObjectSizes.measure(repo, graph, turns, options.progress);
    return await new UsageReport(repo, shares, sizes, turns).report(options);
  });
}

interface NamedGroup {
  readonly group: RootGroup;
  readonly name: string;
  readonly manifestDigest: OciDigest | undefined;
  readonly tags: readonly string[];
  readonly otherRefs: readonly string[];
}

class UsageReport {
  readonly #repo: ReadableRepository;
  readonly #shares: Shares;
  readonly #sizes: ObjectSizes;
  readonly #turns: Turns;
  /** Paths of the entries that link to an object. */
  readonly #entries = new Map<ObjectId, string[]>();

  constructor(repo: ReadableRepository, shares: Shares, sizes: ObjectSizes, turns: Turns) {
    this.#repo = repo;
    this.#shares = shares;
    this.#sizes = sizes;
    this.#turns = turns;
    for (const category of ['images', 'streams'] as const) {
      for (const [name, id] of shares.graph.entries[category]) {
        const paths = this.#entries.get(id);
        if (paths === undefined) this.#entries.set(id, [`${category}/${name}`]);
        else paths.push(`${category}/${name}`);
      }
    }
  }

  async report({ images, layers }: ImageUsageOptions): Promise<StoreUsage> {
    const all = this.#shares.groups.map(namedGroup).sort(byName);
    const byDigest = new Map(all.map((named) => [named.manifestDigest, named]));
    const asked = images === undefined ? undefined : new Map(images.map((image) => [image.manifestDigest, image]));
    const chosen =
      asked === undefined ? all : [...asked].map(([digest, image]) => byDigest.get(digest) ?? unnamed(image));
    const usages: ImageUsage[] = [];
    for (const named of chosen) {
      if (this.#turns.isOver()) await this.#turns.next();
      const measured = this.#measure([named]);
      const { name, manifestDigest, tags, otherRefs } = named;
      const isLayered = layers === true && manifestDigest !== undefined;
      const ofLayers = isLayered ? await this.#layers(manifestDigest, isFreeable(named)) : [];
      usages.push({ name, manifestDigest, tags, otherRefs, ...measured, layers: ofLayers });
    }
    return { images: usages, total: this.#measure(chosen) };
  }

  #measure(named: readonly NamedGroup[]): StoreUsage['total'] {
    const groups = named.map(({ group }) => group);
    const freeable = named.filter(isFreeable).map(({ group }) => group);
    const [size, shared, unique, freed] = [new UsageSum(), new UsageSum(), new UsageSum(), new UsageSum()];
    const paths = named.flatMap(removableRefs);
    this.#visit(groups, (number, isTheirs) => {
      this.#sizes.addTo(size, number);
      this.#sizes.addTo(isTheirs ? unique : shared, number);
    });
    this.#visit(freeable, (number, isTheirs) => {
      if (!isTheirs) return;
      this.#sizes.addTo(freed, number);
      paths.push(...(this.#entries.get(this.#shares.graph.idOf(number)) ?? []));
    });
    return { size, shared, unique, freed, freedLinks: this.#links(paths) };
  }

  /** Calls `meet` for each object that these groups need, and tells whether no other group needs it. */
  #visit(groups: readonly RootGroup[], meet: (number: number, isTheirs: boolean) => void): void {
    const named = groups.filter(({ refs }) => refs.length > 0);
    const among = this.#count(named);
    this.#shares.visit(named, (number) => meet(number, among(number) === this.#shares.holders(number)));
  }

  /** How many of these groups need an object, for objects that at least one of them needs. */
  #count(groups: readonly RootGroup[]): (number: number) => number {
    if (groups.length === 1) return () => 1;
    if (groups.length === this.#shares.groups.length) return (number) => this.#shares.holders(number);
    const counts = new Uint32Array(this.#shares.graph.size);
    for (const group of groups) {
      this.#shares.visit([group], (number) => {
        counts[number] = (counts[number] ?? 0) + 1;
      });
    }
    return (number) => counts[number] ?? 0;
  }

  #links(paths: Iterable<string>): Usage {
    const sum = new UsageSum();
    for (const path of new Set(paths)) {
      const stat = this.#repo.root.lstat(path);
      if (stat?.isSymbolicLink() === true) sum.addFile(stat);
    }
    return sum;
  }

  async #layers(digest: OciDigest, isFreed: boolean): Promise<LayerUsage[]> {
    const image = OciImage.open(this.#repo, digest);
    const keys = image.isContainerImage() ? image.layerDiffIds() : image.manifest.layers.map((layer) => layer.digest);
    const layers = [...new Set(keys)].flatMap((layer) => {
      const verity = image.layerVerity(layer);
      const stream = verity === undefined ? undefined : this.#shares.graph.numberOf(verity);
      return stream === undefined ? [] : { layer, stream };
    });
    // How many layers of this image have an object.
    const holders = new Map<number, number>();
    for (const { stream } of layers) {
      if (this.#turns.isOver()) await this.#turns.next();
      this.#shares.visitStream(stream, (number) => holders.set(number, (holders.get(number) ?? 0) + 1));
    }
    const usages: LayerUsage[] = [];
    for (const { layer, stream } of layers) {
      if (this.#turns.isOver()) await this.#turns.next();
      const [size, shared, unique, freed] = [new UsageSum(), new UsageSum(), new UsageSum(), new UsageSum()];
      this.#shares.visitStream(stream, (number) => {
        const isOthers = this.#shares.holders(number) > 1;
        this.#sizes.addTo(size, number);
        this.#sizes.addTo(isOthers || (holders.get(number) ?? 0) > 1 ? shared : unique, number);
        if (isFreed && !isOthers) this.#sizes.addTo(freed, number);
      });
      usages.push({ layer, size, shared, unique, freed });
    }
    return usages;
  }
}

function namedGroup(group: RootGroup): NamedGroup {
  const manifestDigest = group.category === 'streams' ? manifestDigestOf(group.name) : undefined;
  const tags: string[] = [];
  const otherRefs: string[] = [];
  for (const ref of group.refs) {
    const tag = tagOfRef(ref);
    if (tag === undefined || manifestDigest === undefined) otherRefs.push(ref);
    else tags.push(tag);
  }
  tags.sort();
  otherRefs.sort();
  return { group, name: tags[0] ?? manifestDigest ?? otherRefs[0] ?? group.name, manifestDigest, tags, otherRefs };
}

/** A stored image that no reference names. */
function unnamed({ manifestDigest, manifestVerity }: OciImage): NamedGroup {
  const name = MANIFEST_STREAM_PREFIX + manifestDigest;
  const group: RootGroup = { category: 'streams', name, id: manifestVerity, refs: [] };
  return { group, name: manifestDigest, manifestDigest, tags: [], otherRefs: [] };
}

/** Its tags; of what is no OCI image, its references. */
function removableRefs({ manifestDigest, group }: NamedGroup): string[] {
  return group.refs.filter((ref) => manifestDigest === undefined || tagOfRef(ref) !== undefined);
}

/** Whether it goes with its tags; what is no OCI image, with its references. */
function isFreeable({ manifestDigest, otherRefs }: NamedGroup): boolean {
  return manifestDigest === undefined || otherRefs.length === 0;
}

/** OCI images with tags first. */
function byName(a: NamedGroup, b: NamedGroup): number {
  const rank = ({ tags, manifestDigest }: NamedGroup): number =>
    tags.length > 0 ? 0 : manifestDigest !== undefined ? 1 : 2;
  return rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}
