import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { fullMessage } from '../../errors.js';
import { Turns } from '../../threads/turns.js';
import type { OciDigest } from '../model/digest.js';
import { OciImage } from './image.js';
import { listReferrers, referrerSubjects } from './referrers.js';
import { listRefs } from './tags.js';

/** One tagged image, with the keys of the reference's JSON (spec 40 §14.2). */
export interface ImageInfo {
  readonly name: string;
  readonly manifestDigest: OciDigest;
  readonly isContainer: boolean;
  /** Empty for artifacts. */
  readonly architecture: string;
  /** Empty for artifacts. */
  readonly os: string;
  readonly created: string | null;
  readonly layerCount: number;
  readonly referrerCount: number;
}

/** How images are listed. */
export interface ListImagesOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told about each tag that is left out because its image cannot be opened. */
  readonly onWarning?: (message: string) => void;
}

/** All tagged images that can be opened, by tag. */
export async function listImages(repo: ReadableRepository, options: ListImagesOptions = {}): Promise<ImageInfo[]> {
  return await repo.use(async () => {
    const release = repo.root.keepDirectories();
    try {
      return await readImages(repo, options);
    } finally {
      release();
    }
  });
}

async function readImages(repo: ReadableRepository, { signal, onWarning }: ListImagesOptions): Promise<ImageInfo[]> {
  const turns = new Turns(signal);
  const images: ImageInfo[] = [];
  // One look for all: most images have none, and to find that out for each takes as long as to read a manifest.
  const subjects = subjectsWithReferrers(repo);
  // Many tags can lead to one image.
  const known = new Map<OciDigest, Omit<ImageInfo, 'name'>>();
  for (const [name, manifestDigest] of listRefs(repo)) {
    try {
      const info =
        known.get(manifestDigest) ??
        imageInfo(
          OciImage.open(repo, manifestDigest),
          subjects.has(manifestDigest) ? countReferrers(repo, manifestDigest) : 0,
        );
      known.set(manifestDigest, info);
      images.push({ name, ...info });
    } catch (error) {
      onWarning?.(`skipping image ${name}: ${fullMessage(error)}`);
    }
    if (turns.isOver()) await turns.next();
  }
  return images;
}

function imageInfo(image: OciImage, referrerCount: number): Omit<ImageInfo, 'name'> {
  return {
    manifestDigest: image.manifestDigest,
    isContainer: image.isContainerImage(),
    architecture: image.architecture(),
    os: image.os(),
    created: image.created() ?? null,
    layerCount: image.layerDescriptors().length,
    referrerCount,
  };
}

function subjectsWithReferrers(repo: ReadableRepository): ReadonlySet<string> {
  try {
    return referrerSubjects(repo);
  } catch {
    return new Set();
  }
}

function countReferrers(repo: ReadableRepository, subject: OciDigest): number {
  try {
    return listReferrers(repo, subject).length;
  } catch {
    return 0;
  }
}

/** All that the repository knows of one image; `manifest` and `config` are the stored documents (spec 40 §14.4). */
export interface ImageInspection {
  readonly manifest: Buffer;
  readonly config: Buffer;
  readonly referrers: readonly OciDigest[];
  /** For the repository's format, if linked. */
  readonly composefsErofs: ObjectId | undefined;
  readonly composefsBootErofs: ObjectId | undefined;
}

/** The documents of a stored image, what refers to it, and its EROFS images. */
export async function inspectImage(repo: ReadableRepository, image: OciImage): Promise<ImageInspection> {
  return {
    manifest: image.readManifestJson(repo),
    config: image.readConfigJson(repo),
    referrers: listReferrers(repo, image.manifestDigest).map(([digest]) => digest),
    composefsErofs: image.imageRef(repo.erofsVersion),
    composefsBootErofs: image.bootImageRef(repo.erofsVersion),
  };
}
