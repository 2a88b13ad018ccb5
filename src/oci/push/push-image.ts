import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError, withContextAsync } from '../../errors.js';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import { outgoingContent } from '../export/outgoing-content.js';
import { type OutgoingImage, type OutgoingOptions, prepareOutgoing } from '../export/outgoing-image.js';
import { findReferrers } from '../export/outgoing-referrers.js';
import { temporaryFile } from '../export/write-file.js';
import type { RetryObserver } from '../http/retry.js';
import type { OciDigest } from '../model/digest.js';
import { ImageReferenceError } from '../model/image-reference.js';
import {
  formatRegistryReference,
  parseRegistryReference,
  type RegistryReference,
} from '../model/registry-reference.js';
import type { OciImage } from '../store/image.js';
import { mountSources } from './mount-sources.js';
import { type BlobOutcome, openTarget, type PushTarget, type PushTargetOptions } from './push-target.js';
import type { UploadContent } from './upload-blob.js';

/** How an image is sent to a registry. */
export interface PushOptions extends OutgoingOptions, PushTargetOptions {
  /** Whether what refers to the image (signatures, SBOMs) goes along. */
  readonly referrers?: boolean | undefined;
  /** Finds out the digest, and asks nobody for anything. */
  readonly dryRun?: boolean | undefined;
  /** Told what will be sent, before a byte of it is. */
  readonly onPrepared?: ((digests: { readonly manifestDigest: OciDigest }) => void) | undefined;
}

/** What was sent, and what was there already. */
export interface PushResult {
  /** `HOST/NAME:TAG`, complete. */
  readonly reference: string;
  /** Of what was sent. */
  readonly manifestDigest: OciDigest;
  readonly configDigest: OciDigest;
  /** Of the stored image. */
  readonly pulledDigest: OciDigest;
  /** Config and layers, each once, those of referrers included. */
  readonly blobs: readonly { readonly digest: OciDigest; readonly size: number; readonly outcome: BlobOutcome }[];
  readonly referrers: readonly OciDigest[];
}

/** Requests under way at once. */
const CONCURRENCY = 4;

/**
 * Sends a stored image to a registry: blobs first, those that are not there and cannot be mounted from another repository
 * of it, then the manifest, then what refers to it.
 *
 * @param to `docker://HOST/NAME[:TAG]`, or `@` and the digest that the image has.
 * @throws ImageReferenceError; ComposefsError `DIGEST_WOULD_CHANGE`, `DIGEST_MISMATCH`; RegistryError
 */
export async function pushImage(
  repo: ReadableRepository,
  image: OciImage,
  to: string,
  options: PushOptions = {},
): Promise<PushResult> {
  const reference = parsePushReference(to);
  return await repo.hold(async () => {
    const outgoing = await prepareOutgoing(repo, image, { create: temporaryFile, all: false }, options);
    try {
      const { manifest } = outgoing;
      if (reference.digest !== undefined && reference.digest !== manifest.digest) {
        const message = `The image has the digest ${manifest.digest}, and not that of ${formatRegistryReference(reference)}`;
        throw new ComposefsError('DIGEST_MISMATCH', message);
      }
      options.onPrepared?.({ manifestDigest: manifest.digest });
      options.progress?.report({ type: 'message', text: `The digest is ${manifest.digest}` });
      const name = formatRegistryReference(reference);
      const { configDigest, manifestDigest: pulledDigest } = image;
      const result = { reference: name, manifestDigest: manifest.digest, configDigest, pulledDigest };
      if (options.dryRun === true) return { ...result, blobs: [], referrers: [] };
      return await withContextAsync(`Pushing to ${name}`, async () => ({
        ...result,
        ...(await send(repo, image, outgoing, reference, options)),
      }));
    } catch (error) {
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      outgoing.dispose();
    }
  });
}

/** @throws ImageReferenceError */
export function parsePushReference(text: string): RegistryReference {
  if (text.startsWith('docker://')) return parseRegistryReference(text);
  throw new ImageReferenceError(`'${text}' is no image in a registry`, HINT);
}

const HINT = 'An image is pushed to docker://HOST[:PORT]/NAME[:TAG]; `cfsctl oci export` writes files and directories.';

async function send(
  repo: ReadableRepository,
  image: OciImage,
  outgoing: OutgoingImage,
  reference: RegistryReference,
  options: PushOptions,
): Promise<Pick<PushResult, 'blobs' | 'referrers'>> {
  const observe: RetryObserver = (error, delayMs) => {
    const text = `${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`;
    options.progress?.report({ type: 'message', text });
  };
  const target = await openTarget(reference, mountSources(repo, reference), { observe, ...options });
  try {
    const push = new Push(repo, target, options);
    await push.image(outgoing, reference.digest ?? reference.tag ?? outgoing.manifest.digest);
    const referrers = options.referrers === true ? findReferrers(repo, image, outgoing.manifest.digest, options) : [];
    for (const artifact of referrers) {
      const prepared = await prepareOutgoing(repo, artifact, { create: temporaryFile, all: false }, options);
      try {
        await push.image(prepared, artifact.manifestDigest);
      } finally {
        prepared.dispose();
      }
    }
    return { blobs: push.blobs, referrers: referrers.map(({ manifestDigest }) => manifestDigest) };
  } finally {
    target.close();
  }
}

class Push {
  readonly #repo: ReadableRepository;
  readonly #target: PushTarget;
  readonly #progress: ProgressReporter;
  readonly #signal: AbortSignal | undefined;
  readonly #outcomes = new Map<OciDigest, { size: number; outcome: BlobOutcome }>();

  constructor(repo: ReadableRepository, target: PushTarget, { progress = nullReporter, signal }: PushOptions) {
    this.#repo = repo;
    this.#target = target;
    this.#progress = progress;
    this.#signal = signal;
  }

  get blobs(): PushResult['blobs'] {
    return [...this.#outcomes].map(([digest, each]) => ({ digest, ...each }));
  }

  async image({ manifest, mediaType, config, layers }: OutgoingImage, name: string): Promise<void> {
    const contents: UploadContent[] = layers.map((layer) => ({
      descriptor: layer.descriptor,
      read: (start) => outgoingContent(this.#repo, layer, start),
    }));
    contents.push({ descriptor: config.descriptor, read: (start) => [config.raw.subarray(start)] });
    const total = contents.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    this.#progress.report({ type: 'plan', total, present: 0, unit: 'bytes' });
    await this.#all(contents.filter(({ descriptor }) => !this.#outcomes.has(descriptor.digest)));
    await this.#target.putManifest(manifest, mediaType, name);
  }

  /** The largest first. The first failure stops the others. */
  async #all(contents: UploadContent[]): Promise<void> {
    const queue = contents.sort((a, b) => b.descriptor.size - a.descriptor.size);
    const stop = new AbortController();
    const signal = this.#signal === undefined ? stop.signal : AbortSignal.any([stop.signal, this.#signal]);
    const worker = async (): Promise<void> => {
      try {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) await this.#one(next, signal);
      } catch (error) {
        queue.length = 0;
        stop.abort(error);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    signal.throwIfAborted();
  }

  async #one(content: UploadContent, signal: AbortSignal): Promise<void> {
    const { digest, size } = content.descriptor;
    this.#progress.report({ type: 'started', id: digest, total: size, unit: 'bytes' });
    const onProgress = (fetched: number): void => this.#progress.report({ type: 'progress', id: digest, fetched });
    const outcome = await withContextAsync(`Sending blob ${digest}`, () =>
      this.#target.putBlob(content, signal, onProgress),
    );
    this.#outcomes.set(digest, { size, outcome });
    if (outcome === 'uploaded') this.#progress.report({ type: 'done', id: digest, transferred: size });
    else this.#progress.report({ type: 'skipped', id: digest });
  }
}
