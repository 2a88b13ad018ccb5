import { closeSync } from 'node:fs';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { FsckResult } from '../../composefs/repository/fsck/fsck.js';
import type { FsckOptions, ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { errorChain, errorCode } from '../../errors.js';
import type { LongCallOptions } from '../../threads/jobs.js';
import { runInTurns, Turns } from '../../threads/turns.js';
import { type ImageConfiguration, parseConfig } from '../model/config.js';
import { contentDigestLike, type OciDigest, parseOciDigest, sha256ContentDigest } from '../model/digest.js';
import { type ImageManifest, isContainerImage, parseManifest } from '../model/manifest.js';
import { isTarLayer } from '../model/media-types.js';
import { sortConfigRefs } from '../store/config-stream.js';
import { type ExternalStream, readExternalStream } from '../store/external-stream.js';
import { resolveImage } from '../store/find-image.js';
import {
  BLOB_CONTENT_TYPE,
  CONFIG_CONTENT_TYPE,
  configIdentifier,
  configRefKey,
  LAYER_CONTENT_TYPE,
  layerContentId,
  MANIFEST_CONTENT_TYPE,
  manifestIdentifier,
} from '../store/identifiers.js';
import { listRefs } from '../store/tags.js';
import { checkLayerContents, streamNameSteps, type UncheckedLayer } from './fsck-content.js';
import type { OciFsckError } from './fsck-error.js';

/** The label by which older tools seal an image to its composefs digest (spec 40 §12). */
const SEAL_LABEL = 'containers.composefs.fsverity';

/** The result of checking a repository and the OCI images in it (spec 40 §7.3). */
export interface OciFsckResult {
  readonly repoResult: FsckResult;
  readonly imagesChecked: number;
  readonly imagesCorrupted: number;
  readonly errors: readonly OciFsckError[];
}

/** How {@link ociFsck} works: as the check of the repository that it begins with. */
export type OciFsckOptions = Omit<FsckOptions, 'metadataOnly'>;

/** True if neither the repository nor an image has an error. */
export function isOciFsckOk(result: OciFsckResult): boolean {
  return result.errors.length === 0 && result.repoResult.errors.length === 0;
}

/** Checks the repository and every tagged image. Findings are collected, not thrown. */
export async function ociFsck(repo: ReadableRepository, options: OciFsckOptions = {}): Promise<OciFsckResult> {
  const repoResult = await repo.fsck(options);
  const check = new ImageCheck(repo);
  const turns = new Turns(options.signal);
  for (const [name, digest] of listRefs(repo)) {
    if (name.startsWith('@')) check.fail({ type: 'invalid-ref-name', name });
    else check.image(name, digest);
    if (turns.isOver()) await turns.next();
  }
  await check.streamNames(options.signal);
  return await check.result(repoResult, options);
}

/**
 * Checks the repository and one image; that there is no such image is a finding.
 *
 * @param name as `findImage` takes it.
 * @throws ComposefsError `AMBIGUOUS_IMAGE`
 */
export async function ociFsckImage(
  repo: ReadableRepository,
  name: string,
  options: OciFsckOptions = {},
): Promise<OciFsckResult> {
  const check = new ImageCheck(repo);
  let digest: OciDigest | undefined;
  try {
    ({ digest } = await resolveImage(repo, name));
  } catch (error) {
    if (errorCode(error) === 'AMBIGUOUS_IMAGE') throw error;
    check.fail({ type: 'ref-resolve-failed', name, detail: outermost(error) });
  }
  const repoResult = await repo.fsck(options);
  if (digest !== undefined) check.image(name, digest);
  await check.layerNames(options.signal);
  return await check.result(repoResult, options);
}

/** What the checks of images leave to be done, or need not be done again. */
interface Pending {
  /** Hashed at the end, in threads. */
  readonly layers: UncheckedLayer[];
  /** Names of streams whose documents were compared with their digests. */
  readonly checked: Set<string>;
  /** Names of layers of images. */
  readonly layerNames: Set<string>;
}

class ImageCheck {
  readonly #repo: ReadableRepository;
  readonly #errors: OciFsckError[] = [];
  readonly #pending: Pending = { layers: [], checked: new Set(), layerNames: new Set() };
  readonly #corrupted = new Set<string>();
  #checked = 0;

  constructor(repo: ReadableRepository) {
    this.#repo = repo;
  }

  /** Counts an image that cannot be checked at all. */
  fail(error: OciFsckError): void {
    this.#checked += 1;
    this.#corrupted.add(error.name);
    this.#errors.push(error);
  }

  image(name: string, digest: OciDigest): void {
    this.#checked += 1;
    const before = this.#errors.length;
    this.#errors.push(...checkImage(this.#repo, name, digest, this.#pending));
    if (this.#errors.length > before) this.#corrupted.add(name);
  }

  /** Checks what has the name of a digest, whether or not an image uses it. */
  async streamNames(signal: AbortSignal | undefined): Promise<void> {
    await this.#streamNames((name) => !this.#pending.checked.has(name), signal);
  }

  /** Checks what the names of the images' layers lead to: layers are read and reused by name. */
  async layerNames(signal: AbortSignal | undefined): Promise<void> {
    await this.#streamNames((name) => this.#pending.layerNames.has(name), signal);
  }

  async #streamNames(isWanted: (name: string) => boolean, signal: AbortSignal | undefined): Promise<void> {
    const { errors, layers } = await runInTurns(streamNameSteps(this.#repo, isWanted), signal);
    this.#errors.push(...errors);
    const used = new Set(this.#pending.layers.map(({ verity, digest }) => `${verity} ${digest}`));
    this.#pending.layers.push(...layers.filter(({ verity, digest }) => !used.has(`${verity} ${digest}`)));
  }

  async result(repoResult: FsckResult, options: LongCallOptions): Promise<OciFsckResult> {
    const contents = await checkLayerContents(this.#repo, this.#pending.layers, options);
    for (const error of contents) if (error.type === 'layer-digest-mismatch') this.#corrupted.add(error.name);
    return {
      repoResult,
      imagesChecked: this.#checked,
      imagesCorrupted: this.#corrupted.size,
      errors: [...this.#errors, ...contents],
    };
  }
}

/** The findings of one image (spec 40 §7.1): those of the manifest and config end the check. */
function* checkImage(
  repo: ReadableRepository,
  name: string,
  digest: OciDigest,
  pending: Pending,
): Generator<OciFsckError> {
  const stored = attempt(() => readExternalStream(repo, manifestIdentifier(digest), MANIFEST_CONTENT_TYPE));
  pending.checked.add(manifestIdentifier(digest));
  if (!stored.ok) return yield { type: 'manifest-read-failed', name, detail: stored.detail };
  const found = sha256ContentDigest(stored.value.data);
  if (found !== digest) return yield { type: 'manifest-digest-mismatch', name, expected: digest, actual: found };
  const manifest = attempt(() => parseManifest(stored.value.data).value);
  if (!manifest.ok) return yield { type: 'manifest-parse-failed', name, detail: manifest.detail };

  const configDigest = manifest.value.config.digest;
  const configVerity = stored.value.namedRefs.get(configRefKey(configDigest));
  if (configVerity === undefined) return yield { type: 'config-ref-missing', name, digest: configDigest };
  const linked = attempt(() => repo.hasStream(configIdentifier(configDigest)));
  if (linked.ok && linked.value === configVerity) pending.checked.add(configIdentifier(configDigest));
  const config = attempt(() =>
    readExternalStream(repo, configIdentifier(configDigest), CONFIG_CONTENT_TYPE, configVerity),
  );
  if (!config.ok) return yield { type: 'config-read-failed', name, detail: config.detail };
  const configFound = contentDigestLike(configDigest, config.value.data);
  if (configFound !== configDigest) {
    return yield { type: 'config-digest-mismatch', name, expected: configDigest, actual: configFound };
  }
  if (!linked.ok || linked.value !== configVerity) {
    const actual = linked.ok ? (linked.value ?? '') : linked.detail;
    yield { type: 'config-link-mismatch', name, digest: configDigest, expected: configVerity, actual };
  }
  if (isContainerImage(manifest.value)) yield* checkContainer(repo, name, config.value, pending);
  else yield* checkArtifact(repo, name, manifest.value, stored.value.namedRefs, pending);
}

function* checkContainer(
  repo: ReadableRepository,
  name: string,
  stored: ExternalStream,
  pending: Pending,
): Generator<OciFsckError> {
  const config = attempt(() => parseConfig(stored.data).value);
  if (!config.ok) return yield { type: 'config-parse-failed', name, detail: config.detail };
  const { layerRefs, image, imageV1, bootImages } = sortConfigRefs(stored.namedRefs);
  for (const diffId of config.value.rootfs.diff_ids) {
    yield* checkLayer(repo, name, diffId, layerRefs.get(diffId), pending);
  }
  for (const id of [image, imageV1, ...bootImages.values()]) yield* checkLinkedImage(repo, name, id);
  yield* checkSeal(repo, name, config.value);
}

function* checkLayer(
  repo: ReadableRepository,
  name: string,
  diffId: string,
  verity: ObjectId | undefined,
  pending: Pending,
): Generator<OciFsckError> {
  if (verity === undefined) return yield { type: 'layer-ref-missing', name, diffId };
  const digest = attempt(() => parseOciDigest(diffId));
  if (!digest.ok) {
    return yield { type: 'layer-check-failed', name, diffId, detail: `Invalid diff_id: ${digest.detail}` };
  }
  pending.layerNames.add(layerContentId(digest.value));
  const stream = attempt(() => repo.hasStream(layerContentId(digest.value)));
  if (!stream.ok) yield { type: 'layer-check-failed', name, diffId, detail: stream.detail };
  else if (stream.value === undefined) yield { type: 'layer-stream-missing', name, diffId };
  const object = attempt(() => closeSync(repo.objects.openObject(verity)));
  if (!object.ok) return yield { type: 'layer-object-missing', name, diffId, detail: object.detail };
  const finding = (detail: string): OciFsckError => ({ type: 'layer-digest-mismatch', name, diffId, detail });
  pending.layers.push({ verity, digest: diffId, contentType: LAYER_CONTENT_TYPE, finding });
}

/** An EROFS image that the config names can be mounted only if it is listed. */
function* checkLinkedImage(repo: ReadableRepository, name: string, id: ObjectId | undefined): Generator<OciFsckError> {
  if (id === undefined) return;
  const image = attempt(() => closeSync(repo.openImage(id).fd));
  const detail = image.ok ? 'the link in images/ leads elsewhere' : image.detail;
  if (!image.ok || !repo.hasImage(id)) yield { type: 'linked-image-missing', name, digest: id, detail };
}

function* checkSeal(repo: ReadableRepository, name: string, config: ImageConfiguration): Generator<OciFsckError> {
  const labels = config.config?.Labels ?? {};
  const digest = Object.hasOwn(labels, SEAL_LABEL) ? labels[SEAL_LABEL] : undefined;
  if (digest === undefined) return;
  const image = attempt(() => closeSync(repo.openImage(digest).fd));
  if (!image.ok) yield { type: 'seal-image-missing', name, digest, detail: image.detail };
}

function* checkArtifact(
  repo: ReadableRepository,
  name: string,
  manifest: ImageManifest,
  namedRefs: ReadonlyMap<string, ObjectId>,
  pending: Pending,
): Generator<OciFsckError> {
  for (const { digest, mediaType } of manifest.layers) {
    const verity = namedRefs.get(digest);
    if (verity === undefined) {
      yield { type: 'artifact-layer-ref-missing', name, digest };
      continue;
    }
    const object = attempt(() => closeSync(repo.objects.openObject(verity)));
    if (!object.ok) yield { type: 'artifact-layer-object-missing', name, digest, detail: object.detail };
    // What an unpacked tar was made of is not known any more.
    else if (!isTarLayer(mediaType)) {
      const finding = (detail: string): OciFsckError => ({
        type: 'layer-digest-mismatch',
        name,
        diffId: digest,
        detail,
      });
      pending.layers.push({ verity, digest, contentType: BLOB_CONTENT_TYPE, finding });
    }
  }
}

type Attempt<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly detail: string };

function attempt<T>(action: () => T): Attempt<T> {
  try {
    return { ok: true, value: action() };
  } catch (error) {
    return { ok: false, detail: outermost(error) };
  }
}

/** The reference reports the outermost message of the chain only; programs match that (spec 40 §7.1). */
function outermost(error: unknown): string {
  return errorChain(error)[0] ?? 'unknown error';
}
