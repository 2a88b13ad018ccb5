import { availableParallelism } from 'node:os';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { type CompressionChoice, compressionLevel } from '../../compression/compress.js';
import { ComposefsError } from '../../errors.js';
import type { StagedFile } from '../../fs/staged-file.js';
import { nullReporter, type ProgressEvent, type ProgressReporter } from '../../progress.js';
import { importPool } from '../import/threads/import-pool.js';
import type { StoredContent, WrittenBlob } from '../layer/write-layer.js';
import type { Descriptor } from '../model/descriptor.js';
import { type ManifestDocument, parseManifest } from '../model/manifest.js';
import { OCI_MANIFEST } from '../model/media-types.js';
import type { OciImage } from '../store/image.js';
import { compressedMediaType, layerCompression, type Recompression } from './layer-compression.js';
import { type LayerSource, layerSources } from './layer-sources.js';
import { rewriteManifest } from './rewrite-manifest.js';

/** How an image leaves the repository. */
export interface OutgoingOptions {
  /**
   * How layers are compressed. `same`: as they were pulled where that is known, else anew in the same format; the others
   * compress every layer anew. Without this, an image that is not kept as it was pulled is refused, since its manifest
   * would have another digest.
   */
  readonly recompress?: Recompression | undefined;
  /** Of the compression; default: 6 of gzip, 3 of Zstandard. */
  readonly level?: number | undefined;
  /** How many layers are compressed at once. Default: one for each processor. */
  readonly threads?: number | undefined;
  readonly progress?: ProgressReporter | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A layer as it goes out: in a file made for it, or to be read from the repository. */
export interface OutgoingLayer {
  readonly descriptor: Descriptor;
  readonly content: { readonly file: StagedFile } | { readonly stored: StoredContent };
}

/** An image whose every byte is decided, before any of it has gone anywhere. */
export interface OutgoingImage {
  readonly manifest: ManifestDocument;
  readonly mediaType: string;
  readonly config: { readonly descriptor: Descriptor; readonly raw: Buffer };
  /** Each blob once. */
  readonly layers: readonly OutgoingLayer[];
  /** Closes and drops the files that were made. */
  dispose(): void;
}

/** What an index says of it. */
export function manifestEntry({ manifest: { digest, raw, value }, mediaType }: OutgoingImage): Descriptor {
  const { artifactType } = value;
  return { mediaType, digest, size: raw.length, ...(artifactType !== undefined && { artifactType }) };
}

export interface Staging {
  /** Makes a file for a layer. */
  readonly create: () => StagedFile;
  /** Whether every layer gets one, also those that are stored as they go out. */
  readonly all: boolean;
}

/**
 * Compresses what has to be, in parallel, and composes the manifest.
 *
 * @throws ComposefsError `DIGEST_WOULD_CHANGE` where that takes `recompress`; `DIGEST_MISMATCH` for damaged layers.
 */
export async function prepareOutgoing(
  repo: ReadableRepository,
  image: OciImage,
  staging: Staging,
  options: OutgoingOptions = {},
): Promise<OutgoingImage> {
  const raw = image.readManifestJson(repo);
  const plans = (await layerSources(repo, image)).map((layer) => planLayer(image, layer, options));
  const staged = await stageLayers(repo, plans, staging, options);
  try {
    const outgoing = plans.map((plan) => outgoingLayer(plan, staged.get(plan.name)));
    const changes = outgoing.map(({ descriptor }, index) => (plans[index]?.isSame === true ? undefined : descriptor));
    const isSame = changes.every((change) => change === undefined);
    const manifest = isSame ? parseManifest(raw) : rewriteManifest(raw, changes);
    return {
      manifest,
      mediaType: manifest.value.mediaType ?? OCI_MANIFEST,
      config: { descriptor: manifest.value.config, raw: image.readConfigJson(repo) },
      layers: [...new Map(outgoing.map((layer) => [layer.descriptor.digest, layer])).values()],
      dispose: () => discardAll(staged),
    };
  } catch (error) {
    discardAll(staged);
    throw error;
  }
}

/** What becomes of a layer. */
interface LayerPlan {
  /** Layers of one name become one blob. */
  readonly name: string;
  readonly key: string;
  readonly descriptor: Descriptor;
  readonly content: StoredContent;
  readonly compression: CompressionChoice;
  /** Whether the blob is the one that was pulled. */
  readonly isSame: boolean;
}

interface StagedLayer {
  readonly file: StagedFile;
  readonly blob: WrittenBlob;
}

function planLayer(image: OciImage, layer: LayerSource, { recompress, level }: OutgoingOptions): LayerPlan {
  const { key, descriptor, blob, tar } = layer;
  const keeps = tar === undefined || recompress === undefined || recompress === 'same';
  if (blob !== undefined && keeps) {
    return { name: descriptor.digest, key, descriptor, content: blob, compression: { format: 'none' }, isSame: true };
  }
  if (tar === undefined || recompress === undefined) throw digestWouldChange(image, layer);
  const compression = layerCompression(descriptor, recompress, level);
  compressionLevel(compression);
  return { name: `${compression.format} ${key}`, key, descriptor, content: tar, compression, isSame: false };
}

function digestWouldChange(image: OciImage, { key }: LayerSource): ComposefsError {
  const message =
    `The image cannot leave with the digest ${image.manifestDigest}: ` +
    `of its layer ${key} only the content is stored, not the blob that was pulled`;
  return new ComposefsError('DIGEST_WOULD_CHANGE', message, {
    hint: '--recompress compresses it anew, which gives the image another digest',
  });
}

/** Writes the files that are needed, the largest first. After a failure nothing of them is left. */
async function stageLayers(
  repo: ReadableRepository,
  plans: readonly LayerPlan[],
  staging: Staging,
  { threads = availableParallelism(), progress = nullReporter, signal }: OutgoingOptions,
): Promise<Map<string, StagedLayer>> {
  const wanted = plans.filter(({ isSame }) => staging.all || !isSame);
  const jobs = [...new Map(wanted.map((plan) => [plan.name, plan])).values()];
  jobs.sort((a, b) => b.descriptor.size - a.descriptor.size);
  const staged = new Map<string, StagedLayer>();
  const files: StagedFile[] = [];
  const pool = importPool(Math.min(threads, jobs.length));
  const stop = new AbortController();
  const both = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
  const results = await Promise.allSettled(
    jobs.map(async ({ name, key, content, compression }) => {
      try {
        const file = staging.create();
        files.push(file);
        const input = { store: repo.objects.options, content, compression, fd: file.fd, key };
        const run = { signal: both, onProgress: (event: ProgressEvent) => progress.report(event) };
        staged.set(name, { file, blob: await pool.run('write-layer', input, run) });
      } catch (error) {
        // The first failure is the cause: those that it stops fail with it.
        stop.abort(error);
        throw error;
      }
    }),
  );
  await pool.close();
  if (results.every(({ status }) => status === 'fulfilled')) return staged;
  for (const file of files) file.discard();
  throw both.reason;
}

function outgoingLayer({ descriptor, content, compression, isSame }: LayerPlan, staged?: StagedLayer): OutgoingLayer {
  if (staged === undefined) return { descriptor, content: { stored: content } };
  const { blob, file } = staged;
  if (isSame) return { descriptor, content: { file } };
  const mediaType = compressedMediaType(descriptor.mediaType, compression.format);
  return { descriptor: { mediaType, ...blob }, content: { file } };
}

function discardAll(staged: ReadonlyMap<string, StagedLayer>): void {
  for (const { file } of staged.values()) file.discard();
}
