import type { Repository } from '../../composefs/repository/repository.js';
import { withContextAsync } from '../../errors.js';
import type { RetryObserver } from '../http/retry.js';
import { partialStoreOptions } from '../registry/partial-store.js';
import { loadPolicy } from '../signatures/load-policy.js';
import type { ImageSource } from '../sources/image-source.js';
import { type OpenSourceOptions, openReference, parseSourceReference } from '../sources/open-source.js';
import { imageContext } from '../sources/source-context.js';
import { type AcceptManifest, acceptAll, acceptByPolicy } from './accept-manifest.js';
import type { PullOptions } from './pull-options.js';

/** Opens what a reference names, and finds out which manifests of it may be pulled. */
export async function openPull(
  repo: Repository,
  imgref: string,
  options: PullOptions,
): Promise<{ source: ImageSource; accept: AcceptManifest }> {
  const { platform, signal, via, downloads, localFetch, stores, registry: config, signaturePolicy: file } = options;
  const { timeouts, retry } = options;
  const policy = loadPolicy(file, config);
  // skopeo does not work without a policy, and finds ours only if it is the user's or the system's.
  const skopeoPolicy = policy === undefined ? 'none' : file === undefined ? undefined : { file };
  const message = (text: string): void => options.progress?.report({ type: 'message', text });
  const observe: RetryObserver = (error, delayMs) =>
    message(`${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
  const registry = { config, timeouts, retry, partial: partialStoreOptions(repo.root), signal, observe };
  const reference = parseSourceReference(imgref);
  const sourceOptions: OpenSourceOptions = {
    platform,
    signal,
    registry,
    via,
    localFetch,
    stores,
    message,
    skopeoPolicy,
    downloads,
  };
  const source = await inImport(imageContext(reference), signal, () => openReference(reference, sourceOptions));
  try {
    return { source, accept: policy === undefined ? acceptAll : acceptByPolicy(policy, source) };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Runs a part of a pull; its errors get the context of the whole, but that of the signal. */
export async function inImport<T>(
  context: string,
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
): Promise<T> {
  return await withContextAsync(context, action).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
}
