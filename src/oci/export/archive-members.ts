import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { runInTurns } from '../../threads/turns.js';
import { openLayerSteps } from '../layer/layer-content.js';
import { digestAlgorithm, digestEncoded, type OciDigest } from '../model/digest.js';
import { formatRegistryReference, parseRegistryReference } from '../model/registry-reference.js';
import type { OciImage } from '../store/image.js';
import { type ArchiveMember, archiveFile } from './archive.js';
import { layerSources } from './layer-sources.js';
import { addToIndex, checkRefName, EMPTY_INDEX, LAYOUT_FILE } from './layout-index.js';
import { outgoingContent, storedContent } from './outgoing-content.js';
import { manifestEntry, type OutgoingImage } from './outgoing-image.js';

/**
 * The members of an OCI layout in a tar. The index comes first, for readers that read no further.
 *
 * @param images the first has the tag; the others are what refers to it.
 */
export function* ociArchiveMembers(
  repo: ReadableRepository,
  images: readonly OutgoingImage[],
  tag: string | undefined,
): Generator<ArchiveMember> {
  if (tag !== undefined) checkRefName(tag);
  yield archiveFile('oci-layout', LAYOUT_FILE);
  let index = EMPTY_INDEX;
  for (const [number, image] of images.entries()) {
    index = addToIndex(index, manifestEntry(image), number === 0 ? tag : undefined);
  }
  yield archiveFile('index.json', index);
  yield { name: 'blobs' };
  const blobs = new Map<OciDigest, ArchiveMember>();
  for (const { manifest, config, layers } of images) {
    blobs.set(manifest.digest, archiveFile(blobName(manifest.digest), manifest.raw));
    blobs.set(config.descriptor.digest, archiveFile(blobName(config.descriptor.digest), config.raw));
    for (const layer of layers) {
      const { digest, size } = layer.descriptor;
      if (!blobs.has(digest))
        blobs.set(digest, { name: blobName(digest), size, content: outgoingContent(repo, layer) });
    }
  }
  for (const algorithm of new Set([...blobs.keys()].map(digestAlgorithm))) yield { name: `blobs/${algorithm}` };
  yield* blobs.values();
}

function blobName(digest: OciDigest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestEncoded(digest)}`;
}

/**
 * The members of an archive as `docker save` and `podman save` write it: the config under its digest, which is the id of
 * the image, and the layers, uncompressed. It has no manifest, so that nothing depends on how the layers were compressed.
 *
 * @param image a container image.
 * @param name `NAME[:TAG]` of the image.
 * @throws ImageReferenceError
 */
export async function* dockerArchiveMembers(
  repo: ReadableRepository,
  image: OciImage,
  name: string | undefined,
): AsyncGenerator<ArchiveMember> {
  const config = `${digestEncoded(image.configDigest)}.json`;
  const layers = (await layerSources(repo, image)).flatMap(({ tar }) => tar ?? []);
  const layerName = (digest: OciDigest | undefined): string => `${digestEncoded(digest ?? image.configDigest)}.tar`;
  const names = layers.map(({ digest }) => layerName(digest));
  const repoTags = name === undefined ? [] : [formatRegistryReference(parseRegistryReference(name))];
  yield archiveFile(
    'manifest.json',
    Buffer.from(JSON.stringify([{ Config: config, RepoTags: repoTags, Layers: names }])),
  );
  yield archiveFile(config, image.readConfigJson(repo));
  for (const layer of new Map(layers.map((each) => [each.digest, each])).values()) {
    const reader = await runInTurns(openLayerSteps(repo.objects, layer.verity, layer.contentType));
    const { totalSize } = reader;
    reader.close();
    yield { name: layerName(layer.digest), size: totalSize, content: storedContent(repo, layer) };
  }
}
