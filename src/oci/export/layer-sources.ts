import { openStreamSteps } from '../../composefs/repository/names/open-stream.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError } from '../../errors.js';
import { runInTurns } from '../../threads/turns.js';
import type { StoredContent } from '../layer/write-layer.js';
import type { Descriptor } from '../model/descriptor.js';
import { parseOciDigest } from '../model/digest.js';
import { BLOB_CONTENT_TYPE, LAYER_CONTENT_TYPE } from '../store/identifiers.js';
import type { OciImage } from '../store/image.js';

/** A layer of a stored image, and what there is of it to be given away. */
export interface LayerSource {
  /** The diff_id; the blob's digest in an artifact. */
  readonly key: string;
  /** As the manifest has it. */
  readonly descriptor: Descriptor;
  /** The blob itself, bit for bit. Of a layer that was compressed only the content is stored, unless the blob was kept. */
  readonly blob: StoredContent | undefined;
  /** The uncompressed tar; undefined for a blob that is none. */
  readonly tar: StoredContent | undefined;
}

/**
 * The layers of an image, in the order of the manifest.
 *
 * @throws ComposefsError `LAYER_COUNT_MISMATCH`, `MISSING_LAYER`
 */
export async function layerSources(repo: ReadableRepository, image: OciImage): Promise<LayerSource[]> {
  const descriptors = image.layerDescriptors();
  if (!image.isContainerImage()) {
    return await Promise.all(descriptors.map((descriptor) => artifactLayer(repo, image, descriptor)));
  }
  const diffIds = image.layerDiffIds();
  if (diffIds.length !== descriptors.length) {
    const message = `the manifest has ${descriptors.length} layers, and the config ${diffIds.length} diff_ids`;
    throw new ComposefsError('LAYER_COUNT_MISMATCH', message);
  }
  return descriptors.map((descriptor, index) => imageLayer(image, descriptor, diffIds[index] ?? ''));
}

function imageLayer(image: OciImage, descriptor: Descriptor, key: string): LayerSource {
  const digest = parseOciDigest(key);
  const tar: StoredContent = { verity: storedLayer(image, key), contentType: LAYER_CONTENT_TYPE, digest };
  // Some tools call a layer compressed that is not: the digest tells.
  if (descriptor.digest === digest) return { key, descriptor, tar, blob: tar };
  const verity = image.blobRefs.get(descriptor.digest);
  const kept = verity && { verity, contentType: BLOB_CONTENT_TYPE, digest: descriptor.digest };
  return { key, descriptor, tar, blob: kept };
}

/** Blobs of artifacts are stored as they are, but tars are taken apart like layers, whatever they were compressed with. */
async function artifactLayer(repo: ReadableRepository, image: OciImage, descriptor: Descriptor): Promise<LayerSource> {
  const { digest, mediaType } = descriptor;
  const verity = storedLayer(image, digest);
  const reader = await runInTurns(openStreamSteps(repo, '', { id: verity }));
  const { contentType } = reader;
  reader.close();
  if (contentType === BLOB_CONTENT_TYPE) {
    return { key: digest, descriptor, tar: undefined, blob: { verity, contentType, digest } };
  }
  const isPlain = !/[.+](?:gzip|zstd)$/.test(mediaType);
  const tar: StoredContent = { verity, contentType, digest: isPlain ? digest : undefined };
  return { key: digest, descriptor, tar, blob: isPlain ? tar : undefined };
}

function storedLayer(image: OciImage, key: string): StoredContent['verity'] {
  const verity = image.layerVerity(key);
  if (verity !== undefined) return verity;
  throw new ComposefsError('MISSING_LAYER', `The layer ${key} of ${image.manifestDigest} is not stored`, {
    hint: 'pull the image again: what is missing is stored anew',
  });
}
