import { transformForBoot } from '../../boot/transform.js';
import { writeErofs } from '../../composefs/erofs/index.js';
import type { HashAlgorithm } from '../../composefs/fsverity/algorithm.js';
import { computeVerity, computeVerityOfFd } from '../../composefs/fsverity/digest.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { hostFrom } from '../../composefs/repository/objects/host.js';
import type { ObjectStore } from '../../composefs/repository/objects/object-store.js';
import type { Directory, RegularFile } from '../../composefs/tree/inode.js';
import { cloneTree, mapRegular } from '../../composefs/tree/walk.js';
import { fullMessage } from '../../errors.js';
import { withFd } from '../../fs/files.js';
import { serveJobs } from '../../threads/jobs.js';
import { buildLayerTree, type LayerRef } from '../layer/filesystem.js';
import type { LayerRules } from '../layer/layer-rules.js';
import { transformForOci } from '../tree/transform.js';
import { type ImageRules, treeKey } from './image-rules.js';

/** Plain data. */
export interface MatchJob {
  readonly layers: readonly LayerRef[];
  readonly rules: ImageRules;
}

/** The digest by some rules, or why there is none. */
export type MatchOutput = { readonly digest: ObjectId } | { readonly impossible: string };

/** Makes the trees of one image, each once: the formats of a tree are asked for one after the other. */
class TreeMaker {
  readonly #objects: ObjectStore;
  readonly #layerTrees = new Map<LayerRules, Directory>();
  readonly #otherDigests = new Map<ObjectId, ObjectId>();
  #last: { readonly key: string; readonly root: Directory } | undefined;

  constructor(objects: ObjectStore) {
    this.#objects = objects;
  }

  run({ layers, rules }: MatchJob): MatchOutput {
    try {
      const root = this.#tree(layers, rules);
      const { format, algorithm } = rules;
      return { digest: computeVerity(algorithm, writeErofs(root, { version: format, algorithm })) };
    } catch (error) {
      return { impossible: fullMessage(error) };
    }
  }

  #tree(layers: readonly LayerRef[], rules: ImageRules): Directory {
    const key = treeKey(rules);
    if (this.#last?.key === key) return this.#last.root;
    const { xattrs, layerRules, kind, algorithm } = rules;
    let root = cloneTree(this.#layerTree(layers, layerRules));
    if (xattrs !== 'all') transformForOci(root, { xattrs, strict: layerRules === 'reference' });
    if (kind === 'boot') transformForBoot(root, this.#objects);
    if (algorithm !== this.#objects.algorithm) root = mapRegular(root, (file) => this.#withDigest(file, algorithm));
    this.#last = { key, root };
    return root;
  }

  #layerTree(layers: readonly LayerRef[], layerRules: LayerRules): Directory {
    const known = this.#layerTrees.get(layerRules);
    if (known !== undefined) return known;
    const made = buildLayerTree(this.#objects, layers, true, { layerRules });
    this.#layerTrees.set(layerRules, made);
    return made;
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

/** Computes digests of images in a worker thread. */
serveJobs(
  (options: Parameters<typeof hostFrom>[0]) => new TreeMaker(hostFrom(options).objects),
  (maker, job: MatchJob) => maker.run(job),
);
