import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { StreamNames } from '../../composefs/repository/names/streams.js';
import type { Repository } from '../../composefs/repository/repository.js';
import type { OciDigest } from '../model/digest.js';
import type { ImageLinks } from '../store/link-image.js';
import { addReferrer } from '../store/referrers.js';
import { tagImage } from '../store/tags.js';
import { layerNames } from './layer/find-layer.js';
import type { NamingTimes } from './layer/name-objects.js';
import type { StoredLayer } from './layer/store-tar.js';

interface NewLayer {
  readonly layer: StoredLayer;
  readonly key: OciDigest;
  /** All its objects had their names by then. */
  readonly namedAt: bigint;
  readonly whenNamed: () => void;
}

/**
 * The names of what a pull stores. A name is given when all that it leads to would survive a power cut: after a sync that
 * began when the objects had their names. Each layer's thread syncs once, before it names the layer's objects; that
 * serves the layers before it, and {@link giveAll} the rest. So a pull of n layers makes n + 2 syncs, the last one for the
 * names themselves, and a pull that is killed loses the names of the layers that came last. The layers of a small pull
 * share one sync: it makes three.
 */
export class PullNames {
  readonly #repo: Repository;
  #layers: NewLayer[] = [];
  readonly #images: ObjectId[] = [];
  readonly #streams = new Map<string, StreamNames>();
  readonly #referrers: (readonly [subject: OciDigest, artifact: OciDigest])[] = [];
  readonly #superseded = new Set<ObjectId>();

  constructor(repo: Repository) {
    this.#repo = repo;
  }

  /** The object of a stream that has a name, or is to get one. */
  readonly find = (identifier: string): ObjectId | undefined =>
    this.#streams.get(identifier)?.id ?? this.#repo.hasStream(identifier);

  /** What the names replace: {@link Repository.removeSuperseded} looks whether it is needed still. */
  get superseded(): readonly ObjectId[] {
    return [...this.#superseded];
  }

  /**
   * @param times by default those of a layer that somebody else has stored just now.
   * @param whenNamed called when the layer has its name.
   */
  async addLayer(
    layer: StoredLayer,
    key: OciDigest,
    times: NamingTimes | undefined = undefined,
    whenNamed: () => void = () => undefined,
  ): Promise<void> {
    this.#layers.push({ layer, key, namedAt: times?.namedAt ?? process.hrtime.bigint(), whenNamed });
    if (times !== undefined) await this.#giveLayers(times.syncedAt);
  }

  /** Config and manifest streams, and EROFS images, of which some may have their names. */
  addImage(links: ImageLinks, images: readonly ObjectId[]): void {
    this.#images.push(...images.filter((id) => !this.#repo.hasImage(id)));
    for (const names of links.names) this.#streams.set(names.contentIdentifier, names);
    for (const id of links.superseded) this.#superseded.add(id);
  }

  addReferrer(subject: OciDigest, artifact: OciDigest): void {
    this.#referrers.push([subject, artifact]);
  }

  /** Gives the layers their names that have none yet: whatever comes of the pull, they stay. */
  async giveLayers(): Promise<void> {
    if (this.#layers.length === 0) return;
    const now = process.hrtime.bigint();
    await this.#repo.sync();
    await this.#giveLayers(now);
  }

  /** Gives all names, the tag last, and returns when they are on disk. */
  async giveAll(tag: { readonly tag: string; readonly manifestDigest: OciDigest } | undefined): Promise<void> {
    const repo = this.#repo;
    const now = process.hrtime.bigint();
    if (this.#layers.length + this.#streams.size + this.#images.length > 0) {
      await repo.sync();
      await this.#giveLayers(now);
      repo.linkImages(this.#images);
      repo.linkStreams([...this.#streams.values()]);
    }
    for (const [subject, artifact] of this.#referrers) addReferrer(repo, subject, artifact);
    if (tag !== undefined) await tagImage(repo, tag.manifestDigest, tag.tag);
    await repo.syncNames();
  }

  async #giveLayers(syncBegan: bigint): Promise<void> {
    const isDue = ({ namedAt }: NewLayer): boolean => namedAt < syncBegan;
    if (!this.#layers.some(isDue)) return;
    const due = this.#layers.filter(isDue);
    this.#layers = this.#layers.filter((layer) => !isDue(layer));
    const close = this.#repo.root.keepDirectories();
    try {
      for (const { layer, key, whenNamed } of due) {
        this.#repo.linkStreams(await layerNames(this.#repo, layer, key));
        whenNamed();
      }
    } finally {
      close();
    }
  }
}
