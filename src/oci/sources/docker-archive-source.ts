import { COMPRESSION_MAGIC_BYTES, readableCompression } from '../../compression/decompress.js';
import { withContextAsync } from '../../errors.js';
import { MAX_JSON_BYTES } from '../../json/json.js';
import { BlobError } from '../blob/blob-error.js';
import { readFileBlob, readLocationStart } from '../blob/blob-file.js';
import type { FileLocation } from '../blob/blob-location.js';
import { FileLayers } from '../blob/file-layer.js';
import type { LayerBlob } from '../blob/layer-blob.js';
import { invalidArchive } from '../blob/tar-index.js';
import { checkBlobLimit } from '../blob/verified-read.js';
import { convertDockerConfig } from '../model/converted-config.js';
import type { Descriptor } from '../model/descriptor.js';
import { parseDiffIds } from '../model/diff-ids.js';
import type { OciDigest } from '../model/digest.js';
import { formatImageReference } from '../model/image-reference.js';
import { type ManifestDocument, parseManifest } from '../model/manifest.js';
import { OCI_IMAGE_CONFIG, OCI_MANIFEST } from '../model/media-types.js';
import type { Platform } from '../model/platform.js';
import { serialiseManifest } from '../model/serialise.js';
import type { AttachedSignature } from '../signatures/check-policy.js';
import { imageIdentity } from '../signatures/image-identity.js';
import type { PolicyIdentity } from '../signatures/policy-scope.js';
import type { ArchivedImage, DockerArchive } from './docker-archive.js';
import type { ImageSource, SourceContext } from './image-source.js';
import { listNoReferrers } from './read-referrers.js';
import { requirePlatform } from './resolve.js';
import { importingContext } from './source-context.js';

/** What skopeo announces the layers as, which it hands out uncompressed. */
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';

export interface DockerArchiveOptions {
  /** The image is checked only if this is given. */
  readonly platform?: Platform | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface ConvertedImage {
  readonly manifest: ManifestDocument;
  readonly config: Buffer;
  readonly layers: ReadonlyMap<OciDigest, FileLocation>;
}

/**
 * An image of a Docker archive. An archive has no manifest; this makes the one that skopeo makes of it, an OCI manifest
 * and config, so that the image has one digest whoever reads it. A layer's blob is its uncompressed tar, whatever the
 * archive holds, so that the blob's digest is the diff_id.
 */
export class DockerArchiveSource implements ImageSource {
  readonly reference: string;
  readonly via = 'files';
  readonly context: SourceContext;
  readonly identity: PolicyIdentity;
  readonly #layers = new FileLayers();
  readonly #archive: DockerArchive;
  readonly #image: ArchivedImage;
  readonly #options: DockerArchiveOptions;
  #converted: Promise<ConvertedImage> | undefined;

  /** @param name what the reference names: file and image. */
  constructor(name: string, archive: DockerArchive, image: ArchivedImage, options: DockerArchiveOptions = {}) {
    const reference = { transport: 'docker-archive', name } as const;
    this.reference = formatImageReference(reference);
    this.context = importingContext(reference);
    this.identity = imageIdentity(reference);
    this.#archive = archive;
    this.#image = image;
    this.#options = options;
  }

  async manifest(): Promise<ManifestDocument> {
    return await withContextAsync(`Reading the image of ${this.reference}`, async () => {
      const { manifest } = await this.#convert();
      return await requirePlatform(manifest, this.#options.platform, (blob, maxBytes) => this.readBlob(blob, maxBytes));
    });
  }

  async readBlob(descriptor: Descriptor, maxBytes: number = MAX_JSON_BYTES): Promise<Buffer> {
    const { digest, size } = descriptor;
    checkBlobLimit(digest, size, maxBytes);
    const { manifest, config } = await this.#convert();
    if (digest === manifest.value.config.digest && size === config.length) return config;
    throw this.#notFound(digest);
  }

  layer(descriptor: Descriptor): LayerBlob {
    return this.#layers.layer(descriptor, async () => {
      const { layers } = await this.#convert();
      const location = layers.get(descriptor.digest);
      if (location === undefined) throw this.#notFound(descriptor.digest);
      return location;
    });
  }

  referrers(): Promise<never> {
    return listNoReferrers(this);
  }

  async signatures(): Promise<readonly AttachedSignature[]> {
    return [];
  }

  async close(): Promise<void> {
    this.#archive.close();
  }

  #notFound(digest: OciDigest): BlobError {
    return new BlobError('BLOB_NOT_FOUND', digest, `Blob ${digest} not found in ${this.reference}`);
  }

  #convert(): Promise<ConvertedImage> {
    this.#converted ??= this.#read();
    return this.#converted;
  }

  async #read(): Promise<ConvertedImage> {
    const config = convertDockerConfig(this.#archive.read(this.#image.Config));
    const names = this.#image.Layers ?? [];
    const diffIds = parseDiffIds(config.value);
    if (names.length !== diffIds.length) {
      throw invalidArchive(`${names.length} layers in manifest.json, but ${diffIds.length} diff_ids in the config`);
    }
    const layers = new Map<OciDigest, FileLocation>();
    const sizes = new Map<OciDigest, number>();
    for (const [index, diffId] of diffIds.entries()) {
      // A layer that is there twice: the digest says that they are one.
      if (layers.has(diffId)) continue;
      const location = withCompression(this.#archive.locate(names[index] ?? ''));
      layers.set(diffId, location);
      sizes.set(diffId, await this.#uncompressedSize(location));
    }
    const { raw, digest } = config;
    const manifest = serialiseManifest({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_IMAGE_CONFIG, digest, size: raw.length },
      layers: diffIds.map((diffId) => ({ mediaType: LAYER_TYPE, digest: diffId, size: sizes.get(diffId) ?? 0 })),
    });
    return { manifest: parseManifest(manifest), config: raw, layers };
  }

  /** Only the content tells: what gzip notes of the size is cut to 32 bits. */
  async #uncompressedSize(location: FileLocation): Promise<number> {
    if (location.compression === undefined) return location.size;
    let size = 0;
    for await (const chunk of readFileBlob(location)) {
      this.#options.signal?.throwIfAborted();
      size += chunk.length;
    }
    return size;
  }
}

/** Names end in `.tar` whatever is in it. */
function withCompression(location: FileLocation): FileLocation {
  const start = readLocationStart(location, COMPRESSION_MAGIC_BYTES);
  const compression = readableCompression(start, 'Load the archive with podman or docker, and save it again.');
  return compression === 'none' ? location : { ...location, compression };
}
