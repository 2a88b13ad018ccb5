import { digestSize, type HashAlgorithm } from '../../composefs/fsverity/algorithm.js';
import { parseObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError } from '../../errors.js';
import type { ProgressReporter } from '../../progress.js';
import { runJobs } from '../../threads/jobs.js';
import { configLayers } from '../layer/filesystem.js';
import { notAContainerImage } from '../store/errors.js';
import type { OciImage } from '../store/image.js';
import type { DigestMatch } from './describe-match.js';
import { differingRules, type ImageRules, rulesToTry } from './image-rules.js';
import type { SearchJob, SearchOutput } from './search-worker.js';

/** How the rules are looked for by which an image has a digest. */
export interface MatchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how many combinations have been tried. */
  readonly progress?: ProgressReporter | undefined;
  /** The rules from which the others differ; those of a plain image of the repository's format if not given. */
  readonly usual?: Partial<ImageRules> | undefined;
}

/**
 * Finds the rules by which a stored image has a digest: formats, boot images, xattr modes, layer rules, labels, mtimes,
 * last layers that are missing, digest algorithm; those first that differ from the usual ones in the fewest. Then looks
 * for a stored image that has the digest. Nothing is stored.
 *
 * @param digest hex, as `oci compute-id` prints it; with or without `sha256:` or `sha512:` before it.
 * @throws ComposefsError `INVALID_DIGEST`, `NOT_A_CONTAINER_IMAGE`, `MISSING_LAYER`
 */
export async function matchDigest(
  repo: ReadableRepository,
  image: OciImage,
  digest: string,
  { signal, progress, usual: given }: MatchOptions = {},
): Promise<DigestMatch> {
  const hex = digest.replace(/^sha(?:256|512):/, '').toLowerCase();
  const algorithm = algorithmOf(hex);
  if (!image.isContainerImage()) {
    throw notAContainerImage(image.manifestDigest, image.manifest);
  }
  const what = otherDigest(image, hex);
  if (what !== undefined) return { kind: 'other', what };
  const usual: ImageRules = {
    format: repo.erofsVersion,
    kind: 'plain',
    xattrs: 'allowlist-only',
    layerRules: 'oci',
    algorithm: repo.algorithm,
    labels: 'policy',
    mtimes: 'standard',
    missingLayers: 0,
    ...given,
  };
  const id = image.manifestDigest;
  const layers = configLayers(image.layerDiffIds(), image.layerRefs);
  const candidates = rulesToTry(usual, algorithm, layers.length);
  const images = ([1, 2] as const).map((format) => ({ format, object: image.imageRef(format) }));
  const job: SearchJob = { id, layers, digest: parseObjectId(algorithm, hex), images, usual, candidates };
  const module = new URL('./search-worker.js', import.meta.url);
  progress?.report({ type: 'started', id, total: candidates.length, unit: 'items' });
  const [found] = await repo.hold(() =>
    runJobs<SearchJob, SearchOutput>(module, repo.objects.options, [job], { threads: 1, signal, progress }),
  );
  progress?.report({ type: 'done', id, transferred: candidates.length });
  if (found === undefined) throw new Error('a search has ended without a result');
  if (found.kind !== 'rules') return found;
  const { rules, changes } = found;
  return { kind: 'rules', rules, differing: differingRules(rules, usual), ...(changes && { changes }) };
}

function algorithmOf(hex: string): HashAlgorithm {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    if (/^[0-9a-f]+$/.test(hex) && hex.length === 2 * digestSize(algorithm)) return algorithm;
  }
  const hint = 'it is the output of `cfsctl oci compute-id`, or what a kernel command line has after composefs=';
  throw new ComposefsError('INVALID_DIGEST', `${JSON.stringify(hex)} is no digest of 64 or 128 hex digits`, { hint });
}

/** What else a digest may have been copied from. */
function otherDigest(image: OciImage, hex: string): string | undefined {
  const sha256 = `sha256:${hex}`;
  const candidates: [string, string][] = [
    [image.manifestDigest, 'the digest of the manifest'],
    [image.configDigest, 'the digest of the config'],
    [image.manifestVerity, 'the name of the object that holds the stream of the manifest'],
    [image.configVerity, 'the name of the object that holds the stream of the config'],
  ];
  for (const [index, { digest }] of image.layerDescriptors().entries()) {
    candidates.push([digest, `the digest of the blob of layer ${index + 1}`]);
  }
  for (const [index, diffId] of image.layerDiffIds().entries()) {
    candidates.push([diffId, `the digest of layer ${index + 1} (its diff_id)`]);
    const verity = image.layerVerity(diffId);
    if (verity !== undefined) {
      candidates.push([verity, `the name of the object that holds the stream of layer ${index + 1}`]);
    }
  }
  const [, what] = candidates.find(([digest]) => digest === hex || digest === sha256) ?? [];
  return what;
}
