import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/repository.js';
import type { SplitStreamReader } from '../../composefs/splitstream/index.js';
import { ComposefsError } from '../../errors.js';
import type { OciDigest } from '../model/digest.js';
import { LAYER_CONTENT_TYPE, layerContentId } from '../store/identifiers.js';
import { formatTarEntry } from './format-entry.js';
import { verifiedLayerContent } from './layer-content.js';
import { type LayerInfo, readLayerInfo } from './layer-info.js';
import { readTarEntries } from './tar-entry.js';

/** Looking at a stored layer by its diff_id (spec 40 §8). Artifact blobs are not layers and are refused. */

/** Sizes and counts of a layer. */
export function layerInfo(repo: Repository, diffId: OciDigest): LayerInfo {
  const verity = findLayer(repo, diffId);
  const reader = openLayer(repo, diffId, verity);
  try {
    return readLayerInfo(diffId, verity, reader);
  } finally {
    reader.close();
  }
}

/** One dumpfile line an entry, in the order of the tar; each ends with a newline. */
export function* layerDumpfile(repo: Repository, diffId: OciDigest): Generator<string> {
  const reader = openLayer(repo, diffId, findLayer(repo, diffId));
  try {
    for (const entry of readTarEntries(reader)) yield `${formatTarEntry(entry)}\n`;
  } finally {
    reader.close();
  }
}

/**
 * The uncompressed tar, byte for byte as it was imported.
 *
 * @throws ComposefsError `DIGEST_MISMATCH` after the last byte if the layer is damaged.
 */
export function* layerTar(repo: Repository, diffId: OciDigest): Generator<Buffer> {
  const reader = openLayer(repo, diffId, findLayer(repo, diffId));
  try {
    yield* verifiedLayerContent(repo.objects, reader, diffId);
  } finally {
    reader.close();
  }
}

function findLayer(repo: Repository, diffId: OciDigest): ObjectId {
  const verity = repo.hasStream(layerContentId(diffId));
  if (verity === undefined) throw new ComposefsError('LAYER_NOT_FOUND', `Layer ${diffId} not found`);
  return verity;
}

function openLayer(repo: Repository, diffId: OciDigest, verity: ObjectId): SplitStreamReader {
  return repo.openStream(layerContentId(diffId), verity, LAYER_CONTENT_TYPE);
}
