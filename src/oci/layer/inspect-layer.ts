import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { openStreamSteps } from '../../composefs/repository/names/open-stream.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { SplitStreamReader } from '../../composefs/splitstream/index.js';
import { ComposefsError } from '../../errors.js';
import { runInTurns, Turns } from '../../threads/turns.js';
import type { OciDigest } from '../model/digest.js';
import { LAYER_CONTENT_TYPE, layerContentId } from '../store/identifiers.js';
import { formatTarEntry } from './format-entry.js';
import { verifiedLayerContent } from './layer-content.js';
import { type LayerInfo, layerInfoSteps } from './layer-info.js';
import { readTarEntries } from './tar-entry.js';

/** Looking at a stored layer by its diff_id (spec 40 §8). Artifact blobs are not layers and are refused. */

export interface InspectLayerOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Sizes and counts of a layer. */
export async function layerInfo(
  repo: ReadableRepository,
  diffId: OciDigest,
  { signal }: InspectLayerOptions = {},
): Promise<LayerInfo> {
  const verity = findLayer(repo, diffId);
  const reader = await openLayer(repo, diffId, verity, signal);
  try {
    return await runInTurns(layerInfoSteps(diffId, verity, reader), signal);
  } finally {
    reader.close();
  }
}

/** One dumpfile line an entry, in the order of the tar; each ends with a newline. */
export async function* layerDumpfile(
  repo: ReadableRepository,
  diffId: OciDigest,
  { signal }: InspectLayerOptions = {},
): AsyncGenerator<string> {
  const turns = new Turns(signal);
  const reader = await openLayer(repo, diffId, findLayer(repo, diffId), signal);
  try {
    for (const entry of readTarEntries(reader)) {
      yield `${formatTarEntry(entry)}\n`;
      if (turns.isOver()) await turns.next();
    }
  } finally {
    reader.close();
  }
}

/**
 * The uncompressed tar, byte for byte as it was imported.
 *
 * @throws ComposefsError `DIGEST_MISMATCH` after the last byte if the layer is damaged.
 */
export async function* layerTar(
  repo: ReadableRepository,
  diffId: OciDigest,
  { signal }: InspectLayerOptions = {},
): AsyncGenerator<Buffer> {
  const turns = new Turns(signal);
  const reader = await openLayer(repo, diffId, findLayer(repo, diffId), signal);
  try {
    for (const piece of verifiedLayerContent(repo.objects, reader, diffId)) {
      yield piece;
      if (turns.isOver()) await turns.next();
    }
  } finally {
    reader.close();
  }
}

function findLayer(repo: ReadableRepository, diffId: OciDigest): ObjectId {
  const verity = repo.hasStream(layerContentId(diffId));
  if (verity === undefined) throw new ComposefsError('LAYER_NOT_FOUND', `Layer ${diffId} not found`);
  return verity;
}

async function openLayer(
  repo: ReadableRepository,
  diffId: OciDigest,
  verity: ObjectId,
  signal: AbortSignal | undefined,
): Promise<SplitStreamReader> {
  const reader = await runInTurns(openStreamSteps(repo, layerContentId(diffId), { id: verity }), signal);
  if (reader.contentType === LAYER_CONTENT_TYPE) return reader;
  reader.close();
  throw new ComposefsError('NOT_A_LAYER', `${diffId} is the blob of an artifact and no layer`, {
    hint: `\`cfsctl cat ${layerContentId(diffId)}\` prints it`,
  });
}
