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
import type { OutgoingImage } from './outgoing-image.js';

/** The members of an OCI layout in a tar, with one image. The index comes first, for who reads no further. */
export function* ociArchiveMembers(
  repo: ReadableRepository,
  image: OutgoingImage,
  tag: string | undefined,
): Generator<ArchiveMember> {
  if (tag !== undefined) checkRefName(tag);
  const { digest, raw } = image.manifest;
  yield archiveFile('oci-layout', LAYOUT_FILE);
  const entry = { mediaType: image.mediaType, digest, size: raw.length };
  yield archiveFile('index.json', addToIndex(EMPTY_INDEX, entry, tag));
  yield { name: 'blobs' };
  const { config, layers } = image;
  const digests = [digest, config.descriptor.digest, ...layers.map(({ descriptor }) => descriptor.digest)];
  for (const algorithm of new Set(digests.map(digestAlgorithm))) yield { name: `blobs/${algorithm}` };
  yield archiveFile(blobName(digest), raw);
  yield archiveFile(blobName(config.descriptor.digest), config.raw);
  for (const layer of layers) {
    const { size } = layer.descriptor;
    yield { name: blobName(layer.descriptor.digest), size, content: outgoingContent(repo, layer) };
  }
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
