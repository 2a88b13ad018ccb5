import { createHash } from 'node:crypto';
import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import { readErofsTree, writeErofs } from '../../composefs/erofs/index.js';
import { computeVerity } from '../../composefs/fsverity/digest.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { hostFrom } from '../../composefs/repository/objects/host.js';
import type { ObjectStore } from '../../composefs/repository/objects/object-store.js';
import type { Directory } from '../../composefs/tree/inode.js';
import { fullMessage } from '../../errors.js';
import type { ProgressReporter } from '../../progress.js';
import { serveJobs } from '../../threads/jobs.js';
import type { LayerRef } from '../layer/filesystem.js';
import type { DigestMatch } from './describe-match.js';
import type { ImageRules } from './image-rules.js';
import { baseKey, RuleTrees } from './rule-trees.js';
import { changesBetween, type TreeChanges } from './tree-changes.js';

/** Plain data. */
export interface SearchJob {
  /** What progress is reported for. */
  readonly id: string;
  readonly layers: readonly LayerRef[];
  readonly digest: ObjectId;
  /** The plain images that are linked. */
  readonly images: readonly { readonly format: FormatVersion; readonly object: ObjectId | undefined }[];
  readonly usual: ImageRules;
  /** In the order in which they are tried. */
  readonly candidates: readonly ImageRules[];
}

export type SearchOutput =
  | { readonly kind: 'rules'; readonly rules: ImageRules; readonly changes: TreeChanges | undefined }
  | Exclude<DigestMatch, { kind: 'rules' }>;

/** Looks for the rules by which an image has a digest, then for a stored image that has it. */
async function searchDigest(objects: ObjectStore, job: SearchJob, progress: ProgressReporter): Promise<SearchOutput> {
  const { id, candidates, digest } = job;
  const what = plainHash(objects, job);
  if (what !== undefined) return { kind: 'other', what };
  const trees = new RuleTrees(objects, job.layers);
  const tried: { rules: ImageRules; digest: ObjectId }[] = [];
  const impossible: { rules: ImageRules; reason: string }[] = [];
  const failures = new Map<string, string>();
  for (const [index, rules] of candidates.entries()) {
    progress.report({ type: 'progress', id, fetched: index, total: candidates.length });
    const key = baseKey(rules);
    const isVariant = rules.labels !== 'policy' || rules.mtimes !== 'standard' || rules.missingLayers > 0;
    let reason = failures.get(key);
    if (reason === undefined) {
      try {
        const root = trees.tree(rules);
        if (root === undefined) continue;
        const { format: version, algorithm } = rules;
        const found = computeVerity(algorithm, writeErofs(root, { version, algorithm }));
        if (found === digest) {
          const complete = rules.missingLayers > 0 ? trees.tree({ ...rules, missingLayers: 0 }) : undefined;
          const changes = complete && (await changesBetween(root, complete, algorithm));
          return { kind: 'rules', rules, changes };
        }
        tried.push({ rules, digest: found });
        continue;
      } catch (error) {
        reason = fullMessage(error);
        // A tree that is there but has no image in one format may have one in another.
        if (!trees.has(rules)) failures.set(key, reason);
      }
    }
    // That no variant of it can be made says nothing more; without its last layers an image may be none that boots.
    if (!isVariant) impossible.push({ rules, reason });
  }
  return (await storedImage(objects, job, trees)) ?? { kind: 'unknown', tried, impossible };
}

/** Some hash the image file itself, which fs-verity does not. */
function plainHash(objects: ObjectStore, { images, digest }: SearchJob): string | undefined {
  for (const { format, object } of images) {
    if (object === undefined || !objects.has(object)) continue;
    for (const name of ['sha256', 'sha512']) {
      const hash = createHash(name);
      for (const chunk of objects.readObjectChunks(object)) hash.update(chunk);
      if (hash.digest('hex') !== digest) continue;
      return `the ${name}sum of the EROFS image of format V${format}, not its fs-verity digest`;
    }
  }
  return undefined;
}

async function storedImage(
  objects: ObjectStore,
  { digest, usual }: SearchJob,
  trees: RuleTrees,
): Promise<SearchOutput | undefined> {
  const { algorithm } = objects;
  let usualTree: Directory | undefined;
  let stored: Directory;
  let format: FormatVersion | undefined;
  try {
    stored = readErofsTree(objects.readObject(digest), algorithm);
    format = ([1, 2, 0] as const).find(
      (version) => computeVerity(algorithm, writeErofs(stored, { version, algorithm })) === digest,
    );
    // V2 images have no nanoseconds, which is no difference of the trees.
    if (format === 2) usualTree = trees.tree({ ...usual, mtimes: 'whole-seconds' });
    usualTree ??= trees.tree(usual);
  } catch {
    // No such object, no image, or none of this image to compare it with.
    return undefined;
  }
  if (format === undefined || usualTree === undefined) return undefined;
  return { kind: 'stored', format, changes: await changesBetween(stored, usualTree, algorithm) };
}

/** Computes digests of images in a worker thread. */
serveJobs(
  (options: Parameters<typeof hostFrom>[0]) => hostFrom(options).objects,
  (objects, job: SearchJob, progress) => searchDigest(objects, job, progress),
);
