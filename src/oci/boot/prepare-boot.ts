import { constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsCmdline } from '../../boot/cmdline/composefs-argument.js';
import type { BootEntry } from '../../boot/entries/boot-entry.js';
import { getBootResources } from '../../boot/entries/find.js';
import { keepBootImage } from '../../boot/write/image-refs.js';
import { type BootPlan, planBootEntry } from '../../boot/write/plan.js';
import { resolveBootPlan, type WrittenBootEntry, writeBootEntry } from '../../boot/write/write-entry.js';
import { formatVersions } from '../../composefs/erofs/format/constants.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Repository } from '../../composefs/repository/repository.js';
import type { Directory } from '../../composefs/tree/inode.js';
import { ComposefsError } from '../../errors.js';
import { withFd } from '../../fs/files.js';
import { syncFileSystem } from '../../fs/sync-file-system.js';
import { requireLinkableFormat } from '../import/erofs-images.js';
import { importPool } from '../import/threads/import-pool.js';
import { configLayers, createFilesystem } from '../layer/filesystem.js';
import { LAYER_CONTENT_TYPE } from '../store/identifiers.js';
import type { OciImage } from '../store/image.js';
import { isUsableImage } from '../store/link-image.js';
import { ensureBootImages, requireContainer } from './boot-images.js';
import { type BootBuildOptions, buildBootImages } from './build.js';

/** How an image is made ready to be booted. */
export interface PrepareBootOptions extends BootBuildOptions {
  /** Where the boot partition is mounted; made if it is not there. */
  readonly bootPartition: string;
  /** The physical root: what an image keeps over reboots goes below `state/deploy/<hex>` in it. */
  readonly stateRoot: string;
  /** The name of the entry. Default: what the image calls it, or the kernel version. */
  readonly entryId?: string | undefined;
  /** More kernel arguments. */
  readonly cmdline?: readonly string[] | undefined;
  /** Compare the content of the layers with their diff_ids first, as for a config that nobody vouches for. */
  readonly verifyLayers?: boolean | undefined;
  /** Write the addons of a UKI, too. */
  readonly addons?: boolean | undefined;
  /** Change nothing. */
  readonly dryRun?: boolean | undefined;
}

/** What {@link prepareBoot} has made, or in a dry run would make. */
export interface PreparedBoot {
  /** The boot image. */
  readonly image: ObjectId;
  /** The kernel argument that names it. */
  readonly argument: string;
  /** What the entry consists of. */
  readonly plan: BootPlan;
  /** What was done on the boot partition; undefined after a dry run. */
  readonly written: WrittenBootEntry | undefined;
  /** Directories that the image finds its state in. */
  readonly stateDirectories: readonly string[];
}

/**
 * Makes a machine boot from a stored image (spec 50 §12): makes and links its boot image of the mode `allowlist-only`,
 * the directories of its state, and last the entry on the boot partition.
 *
 * @throws ComposefsError `NOT_A_CONTAINER_IMAGE`, `NO_BOOT_ENTRIES`; what making boot images, planning and writing the
 *   entry throw. Whatever fails, the boot partition has what it had before.
 */
export async function prepareBoot(
  repo: Repository,
  image: OciImage,
  options: PrepareBootOptions,
): Promise<PreparedBoot> {
  const { bootPartition, stateRoot, entryId, cmdline: cmdlineExtra, addons, dryRun = false } = options;
  if (!dryRun) repo.ensureWritable();
  requireContainer(image);
  requireLinkableFormat(repo.erofsVersion);
  if (options.verifyLayers === true) await verifyLayers(repo, image, options.signal);
  const entries = await bootEntries(repo, image, options.signal);
  const id = await bootImageToName(repo, image, options);
  const karg = new ComposefsCmdline(argumentVersion(repo), repo.algorithm, id, repo.insecure);
  const plan = planBootEntry(entries, repo.objects, { karg, entryId, cmdlineExtra, addons });
  const state = join(stateRoot, 'state/deploy', id);
  const stateDirectories = ['var', 'etc/upper', 'etc/work'].map((name) => join(state, name));
  const prepared = { image: id, argument: karg.toCmdlineArg(), stateDirectories };
  if (dryRun) return { ...prepared, plan: resolveBootPlan(repo.objects, plan, bootPartition), written: undefined };
  // The entry comes last: what it leads to is there and on disk then.
  for (const directory of stateDirectories) mkdirSync(directory, { recursive: true });
  withFd(openSync(state, constants.O_RDONLY | constants.O_DIRECTORY), (fd) => syncFileSystem(fd, state));
  mkdirSync(bootPartition, { recursive: true });
  const written = await keepBootImage(repo, plan.entry.path, id, () =>
    writeBootEntry(repo.objects, plan, bootPartition),
  );
  return { ...prepared, plan, written };
}

/** The format of the boot image that a machine is told of: V1 if the repository makes images of it, whatever its default. */
export function versionToBoot(repo: ReadableRepository): 1 | 2 {
  return formatVersions(repo.formatConfig()).includes(1) ? 1 : 2;
}

async function bootImageToName(repo: Repository, image: OciImage, options: PrepareBootOptions): Promise<ObjectId> {
  const version = versionToBoot(repo);
  if (options.dryRun !== true) {
    const images = await ensureBootImages(repo, image, 'allowlist-only', [version], options);
    const id = images.get(version);
    if (id === undefined) throw new ComposefsError('UNSUPPORTED_FORMAT', 'commit_images produced no images');
    return id;
  }
  const linked = image.bootImageRef(version);
  if (linked !== undefined && options.layerRules === undefined) return linked;
  const boot = { xattrs: 'allowlist-only', versions: [version], only: 'none' } as const;
  const [built] = await buildBootImages(repo, image, boot, options);
  if (built === undefined) throw new ComposefsError('UNSUPPORTED_FORMAT', 'commit_images produced no images');
  return built.id;
}

/**
 * In a repository that makes V2 images as well, the argument has the short form also where it names a V1 image: an image
 * is found by its digest alone (spec 50, open point 7).
 */
export function argumentVersion(repo: ReadableRepository): 1 | 2 {
  const versions = formatVersions(repo.formatConfig());
  return repo.erofsVersion === 1 && !versions.includes(2) ? 1 : 2;
}

/** @throws ComposefsError `DIGEST_MISMATCH` */
async function verifyLayers(repo: ReadableRepository, image: OciImage, signal: AbortSignal | undefined): Promise<void> {
  const pool = importPool();
  try {
    const layers = new Map(configLayers(image.layerDiffIds(), image.layerRefs).map((layer) => [layer.diffId, layer]));
    const checks = [...layers.values()].map(async ({ diffId, verity }) => {
      const input = { store: repo.objects.options, verity, digest: diffId, contentType: LAYER_CONTENT_TYPE };
      const { problem } = await pool.run('verify-layer', input, { signal });
      if (problem !== undefined) throw new ComposefsError('DIGEST_MISMATCH', `Layer ${diffId}: ${problem}`);
    });
    await Promise.all(checks);
  } finally {
    await pool.close();
  }
}

/** What the image has to boot from: `/boot` is empty in the boot image, and not in the plain one. */
async function bootEntries(
  repo: ReadableRepository,
  image: OciImage,
  signal: AbortSignal | undefined,
): Promise<BootEntry[]> {
  return getBootResources(await originalTree(repo, image, signal), repo.objects);
}

/** The tree of an image before the boot transform: of the plain EROFS image, or where there is none of its layers. */
export async function originalTree(
  repo: ReadableRepository,
  image: OciImage,
  signal?: AbortSignal,
): Promise<Directory> {
  const plain = image.imageRef(1) ?? image.imageRef(2);
  if (plain !== undefined && (await isUsableImage(repo, plain, signal)))
    return await repo.readImageTree(plain, { signal });
  return await createFilesystem(repo, image.configDigest, { configVerity: image.configVerity, signal });
}
