import { transformForBoot } from '../../boot/transform.js';
import { type ByteString, byteStringFromText } from '../../bytes/byte-string.js';
import type { HashAlgorithm } from '../../composefs/fsverity/algorithm.js';
import { computeVerityOfFd } from '../../composefs/fsverity/digest.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ObjectStore } from '../../composefs/repository/objects/object-store.js';
import type { Directory, RegularFile } from '../../composefs/tree/inode.js';
import { getDirectory } from '../../composefs/tree/lookup.js';
import { cloneTree, filterXattrs, forEachStat, inodes, mapRegular } from '../../composefs/tree/walk.js';
import { withFd } from '../../fs/files.js';
import { buildLayerTree, type LayerRef } from '../layer/filesystem.js';
import { transformForOci } from '../tree/transform.js';
import type { ImageRules, MtimeRule } from './image-rules.js';

export const SELINUX: ByteString = byteStringFromText('security.selinux');
const EMPTIED = ['boot', 'sysroot'].map(byteStringFromText);

/** So many trees of a kind are kept: each may be large. */
const KEPT_MAX = 3;

type Kept<T> = Map<string, { readonly value: T }>;

interface BaseTree {
  readonly root: Directory;
  /** The nanoseconds that the directories had which a boot image has emptied. */
  readonly emptied: readonly number[];
}

/** Makes the trees of one image by any rules, and keeps some: neighbours in a search have much in common. */
export class RuleTrees {
  readonly #objects: ObjectStore;
  readonly #layers: readonly LayerRef[];
  readonly #layerTrees: Kept<Directory> = new Map();
  readonly #bases: Kept<BaseTree> = new Map();
  readonly #trees: Kept<Directory | undefined> = new Map();
  readonly #otherDigests = new Map<ObjectId, ObjectId>();

  constructor(objects: ObjectStore, layers: readonly LayerRef[]) {
    this.#objects = objects;
    this.#layers = layers;
  }

  /**
   * The tree by some rules, which is not to be changed; undefined if another label or mtime rule changes nothing of it.
   *
   * @throws what making it throws, such as for a boot image of a tree without `/boot`.
   */
  tree(rules: ImageRules): Directory | undefined {
    const { labels, mtimes, algorithm } = rules;
    return remember(this.#trees, treeKey(rules), () => {
      const base = this.#base(rules);
      let root: Directory | undefined = base.root;
      if (labels === 'none') root = withoutLabels(root);
      root &&= withMtimes(root, mtimes, base.emptied);
      if (root === undefined || algorithm === this.#objects.algorithm) return root;
      return mapRegular(root, (file) => this.#withDigest(file, algorithm));
    });
  }

  /** Whether the tree by these rules is one of those that are kept, which says that it can be made. */
  has(rules: ImageRules): boolean {
    return this.#trees.has(treeKey(rules));
  }

  #base(rules: ImageRules): BaseTree {
    const { xattrs, layerRules, kind } = rules;
    return remember(this.#bases, baseKey(rules), () => {
      const root = cloneTree(this.#layerTree(rules));
      if (xattrs !== 'all') transformForOci(root, { xattrs, strict: layerRules === 'reference' });
      if (kind === 'plain') return { root, emptied: [] };
      const emptied = EMPTIED.map((name) => getDirectory(root, name).stat.mtimeNsec);
      transformForBoot(root, this.#objects);
      return { root, emptied };
    });
  }

  #layerTree({ layerRules, missingLayers }: ImageRules): Directory {
    return remember(this.#layerTrees, `${layerRules} ${missingLayers}`, () => {
      const layers = this.#layers.slice(0, this.#layers.length - missingLayers);
      return buildLayerTree(this.#objects, layers, true, { layerRules });
    });
  }

  #withDigest(file: RegularFile, algorithm: HashAlgorithm): RegularFile {
    if (file.storage !== 'external') return file;
    let id = this.#otherDigests.get(file.id);
    if (id === undefined) {
      id = withFd(this.#objects.openObject(file.id), (fd) => computeVerityOfFd(algorithm, fd));
      this.#otherDigests.set(file.id, id);
    }
    return { storage: 'external', id, size: file.size };
  }
}

/** What the tree is made by before labels and mtimes are changed: where it cannot be made, no variant of it can. */
export function baseKey({ kind, xattrs, layerRules, missingLayers }: ImageRules): string {
  return [kind, xattrs, layerRules, missingLayers].join(' ');
}

function treeKey(rules: ImageRules): string {
  return [baseKey(rules), rules.labels, rules.mtimes, rules.algorithm].join(' ');
}

function withoutLabels(root: Directory): Directory | undefined {
  if (![...inodes(root)].some(({ stat }) => stat.xattrs.has(SELINUX))) return undefined;
  const unlabelled = cloneTree(root);
  filterXattrs(unlabelled, (name) => name !== SELINUX);
  return unlabelled;
}

function withMtimes(root: Directory, mtimes: MtimeRule, emptied: readonly number[]): Directory | undefined {
  if (mtimes === 'standard') return root;
  if (mtimes === 'whole-seconds') {
    if (![...inodes(root)].some(({ stat }) => stat.mtimeNsec !== 0)) return undefined;
    const whole = cloneTree(root);
    forEachStat(whole, (stat) => ({ ...stat, mtimeNsec: 0 }));
    return whole;
  }
  if (EMPTIED.every((name, index) => getDirectory(root, name).stat.mtimeNsec === emptied[index])) return undefined;
  const old = cloneTree(root);
  EMPTIED.forEach((name, index) => {
    const directory = getDirectory(old, name);
    directory.stat = { ...directory.stat, mtimeNsec: emptied[index] ?? 0 };
  });
  return old;
}

function remember<T>(known: Kept<T>, key: string, make: () => T): T {
  const found = known.get(key);
  if (found !== undefined) return found.value;
  const value = make();
  const [oldest] = known.keys();
  if (oldest !== undefined && known.size >= KEPT_MAX) known.delete(oldest);
  known.set(key, { value });
  return value;
}
