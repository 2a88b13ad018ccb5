import { type ByteString, byteStringFromText, byteStringToText } from '../../bytes/byte-string.js';
import { compareTrees } from '../../composefs/compare/compare-trees.js';
import type { Difference } from '../../composefs/compare/difference.js';
import { DirectoryTree } from '../../composefs/compare/directory-tree.js';
import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import { readErofsTree, writeErofs } from '../../composefs/erofs/index.js';
import { computeVerity } from '../../composefs/fsverity/digest.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { ObjectStore, type ObjectStoreOptions } from '../../composefs/repository/objects/object-store.js';
import type { Directory } from '../../composefs/tree/inode.js';
import { getDirectory } from '../../composefs/tree/lookup.js';
import type { Stat } from '../../composefs/tree/stat.js';
import { cloneTree, filterXattrs, forEachStat, inodes } from '../../composefs/tree/walk.js';
import { withoutTerminationAsync as load } from '../../threads/thread-side.js';
import { buildFilesystem, type LayerRef } from '../layer/filesystem.js';
import type { LayerRules } from '../layer/layer-rules.js';
import { XATTR_FILTERINGS, type XattrFiltering } from '../tree/transform.js';

/** A digest, such as that in a UKI, that is not the one of an image's boot image. */
export interface ExplainDigestInput {
  readonly store: ObjectStoreOptions;
  readonly layers: readonly LayerRef[];
  readonly layerRules: LayerRules | undefined;
  readonly digest: ObjectId;
}

/**
 * How the mtimes of the tree are. `up-to-0.9.2`: `/boot` and `/sysroot` keep their own nanoseconds, as the reference had it
 * (spec 50 §2.2). `whole-seconds`: of a copy of the tree that has lost the nanoseconds.
 */
export type MtimeRule = 'standard' | 'up-to-0.9.2' | 'whole-seconds';

/** Of what tree, and in which form, the digest is the one. */
export interface DigestExplanation {
  readonly xattrs: XattrFiltering;
  readonly version: FormatVersion;
  /** False: without the labels of the image's SELinux policy. */
  readonly labelled: boolean;
  readonly mtimes: MtimeRule;
  /** How many of the image's layers, from the first one; undefined for an image that is only known to be stored. */
  readonly layers: number | undefined;
  /** How the tree of all layers differs from that one, as `PATH (WHAT, WHAT)`; at most 20. */
  readonly changes: readonly string[];
  readonly changeCount: number;
}

export type ExplainDigestOutput = { readonly found?: DigestExplanation };

const CHANGES_MAX = 20;
/** How many layers are left out at most. */
const OMITTED_MAX = 8;

const VERSIONS: readonly FormatVersion[] = [1, 2, 0];
const SELINUX = byteStringFromText('security.selinux');
const EMPTIED = ['boot', 'sysroot'].map(byteStringFromText);

/**
 * Looks for the tree and form of a boot image with a given digest: other xattr modes, formats, labels and mtimes first,
 * then the tree without the last layers, then an image that is stored.
 */
export async function explainDigest(input: ExplainDigestInput): Promise<ExplainDigestOutput> {
  const { digest, layers } = input;
  const objects = new ObjectStore(input.store);
  const { transformForBoot } = await load(() => import('../../boot/transform.js'));
  const build = (count: number, xattrs: XattrFiltering): BootTree => {
    const { layerRules } = input;
    const root = buildFilesystem(objects, layers.slice(0, count), true, { layerRules, xattrs });
    const emptied = EMPTIED.map((name) => getDirectory(root, name).stat.mtimeNsec);
    transformForBoot(root, objects);
    return { root, emptied };
  };
  const isDigest = (root: Directory, version: FormatVersion): boolean =>
    computeVerity(objects.algorithm, writeErofs(root, { version, algorithm: objects.algorithm })) === digest;

  const complete = build(layers.length, 'allowlist-only');
  for (const xattrs of XATTR_FILTERINGS) {
    const tree = xattrs === 'allowlist-only' ? complete : build(layers.length, xattrs);
    for (const { root, versions, labelled, mtimes } of variants(tree)) {
      const version = versions.find((each) => isDigest(root, each));
      if (version === undefined) continue;
      return { found: { xattrs, version, labelled, mtimes, layers: layers.length, changes: [], changeCount: 0 } };
    }
  }
  const same = { xattrs: 'allowlist-only', labelled: true, mtimes: 'standard' } as const;
  for (let count = layers.length - 1; count > 0 && layers.length - count <= OMITTED_MAX; count--) {
    let earlier: Directory;
    try {
      earlier = build(count, 'allowlist-only').root;
    } catch {
      // Without its last layers the image may be none that boots.
      break;
    }
    const version = VERSIONS.find((each) => isDigest(earlier, each));
    if (version === undefined) continue;
    return { found: { ...same, version, layers: count, ...(await changesBetween(earlier, complete.root, objects)) } };
  }
  const stored = readStored(objects, digest);
  if (stored === undefined) return {};
  const changes = await changesBetween(stored.root, complete.root, objects);
  return { found: { ...same, version: stored.version, layers: undefined, ...changes } };
}

interface BootTree {
  readonly root: Directory;
  /** The nanoseconds that the emptied directories had. */
  readonly emptied: readonly number[];
}

interface Variant extends Pick<DigestExplanation, 'labelled' | 'mtimes'> {
  readonly root: Directory;
  readonly versions: readonly FormatVersion[];
}

/** The tree as it is, then what may have become of it elsewhere. */
function* variants(tree: BootTree): Generator<Variant> {
  const { root } = tree;
  yield* withMtimes({ root, labelled: true }, tree);
  if (![...inodes(root)].some(({ stat }) => stat.xattrs.has(SELINUX))) return;
  const unlabelled = cloneTree(root);
  filterXattrs(unlabelled, (name) => name !== SELINUX);
  yield* withMtimes({ root: unlabelled, labelled: false }, tree);
}

/** V2 images have no nanoseconds. */
function* withMtimes(known: Pick<Variant, 'root' | 'labelled'>, { emptied }: BootTree): Generator<Variant> {
  yield { ...known, versions: VERSIONS, mtimes: 'standard' };
  const versions = VERSIONS.filter((version) => version !== 2);
  const old = cloneTree(known.root);
  EMPTIED.forEach((name, index) => {
    const directory = getDirectory(old, name);
    directory.stat = { ...directory.stat, mtimeNsec: emptied[index] ?? 0 };
  });
  yield { ...known, root: old, versions, mtimes: 'up-to-0.9.2' };
  if (![...inodes(known.root)].some(({ stat }) => stat.mtimeNsec !== 0)) return;
  const whole = cloneTree(known.root);
  forEachStat(whole, (stat) => ({ ...stat, mtimeNsec: 0 }));
  yield { ...known, root: whole, versions, mtimes: 'whole-seconds' };
}

function readStored(objects: ObjectStore, digest: ObjectId): { root: Directory; version: FormatVersion } | undefined {
  try {
    const image = objects.readObject(digest);
    const root = readErofsTree(image, objects.algorithm);
    const version = VERSIONS.find(
      (each) =>
        computeVerity(objects.algorithm, writeErofs(root, { version: each, algorithm: objects.algorithm })) === digest,
    );
    return version === undefined ? undefined : { root, version };
  } catch {
    // No such object, or no image.
    return undefined;
  }
}

async function changesBetween(
  before: Directory,
  after: Directory,
  { algorithm }: ObjectStore,
): Promise<Pick<DigestExplanation, 'changes' | 'changeCount'>> {
  const trees = [before, after].map((root) => DirectoryTree.of(root, algorithm));
  const differences = await compareTrees(trees[0] as DirectoryTree, trees[1] as DirectoryTree, { renames: false });
  return { changes: differences.slice(0, CHANGES_MAX).map(describe), changeCount: differences.length };
}

function describe(difference: Difference): string {
  const what =
    'aspects' in difference ? difference.aspects.flatMap((aspect) => nameOf(aspect, difference)) : [difference.kind];
  return `${byteStringToText(difference.path)} (${what.join(', ')})`;
}

function nameOf(aspect: string, difference: Extract<Difference, { aspects: unknown }>): string[] {
  if (aspect === 'time') return ['mtime'];
  if (aspect !== 'xattrs') return [aspect];
  const label = (stat: Stat): ByteString | undefined => stat.xattrs.get(SELINUX);
  const { before, after } = difference;
  if (label(before.stat) === label(after.stat)) return ['xattrs'];
  return [`label: ${label(before.stat) ?? 'none'} → ${label(after.stat) ?? 'none'}`];
}
