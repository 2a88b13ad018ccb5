import type { FileLocation, PipeLocation } from '../blob/blob-location.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import type { ManifestDocument } from '../model/manifest.js';
import type { RegistryLocation } from '../registry/registry-location.js';
import type { AttachedSignature } from '../signatures/check-policy.js';

/**
 * Where the bytes of a blob are. Plain data, so that it can be posted to a worker thread, which opens it there (see
 * open-blob.ts).
 */
export type BlobLocation = FileLocation | PipeLocation | RegistryLocation;

/** A layer for as long as its source lends it. */
export interface LentLayer {
  readonly location: BlobLocation;
  /** What is lent: it may have another digest, size and type than the layer of the manifest. */
  readonly descriptor: Descriptor;
  /** To be told whenever something of it was read. */
  readonly progressed: () => void;
}

/** One image, of one platform, in some place. Every source implements this and nothing more. */
export interface ImageSource {
  /** The reference that the source was opened by, for messages. */
  readonly reference: string;

  /** The path without links of the files that it is read from, found after they were opened. */
  readonly realPath?: string;

  /** True: blobs come over a network, so that more transfers at once than there are CPUs make sense. */
  readonly isRemote?: boolean;

  /** The manifest of the image for the wanted platform. Its bytes have the digest by which the source lists it. */
  manifest(): Promise<ManifestDocument>;

  /**
   * The whole content of a small blob such as a config: exactly the bytes that the descriptor names, by digest and size.
   * More than `maxBytes` (default 64 MiB) are refused before anything is read.
   */
  readBlob(descriptor: Descriptor, maxBytes?: number): Promise<Buffer>;

  /**
   * Where a layer is. One in a file exists and has the size of the descriptor; whoever reads it checks the digest.
   *
   * @throws BlobError `BLOB_NOT_LOCATABLE` by a source that only lends layers.
   */
  locateBlob(descriptor: Descriptor): Promise<BlobLocation>;

  /**
   * For sources that give a layer only while somebody reads it: runs `use`, which reads the layer once, and settles when
   * that has settled.
   *
   * @param signal after which `use` settles soon.
   * @throws what `use` throws, or what the source knows to be the cause of that.
   */
  lendLayer?<T>(descriptor: Descriptor, signal: AbortSignal, use: (layer: LentLayer) => Promise<T>): Promise<T>;

  /**
   * The manifests that name `subject` as their subject, for sources that can tell. They are read by {@link readBlob}.
   *
   * @param subject - the digest of a manifest in this source.
   */
  referrers?(subject: OciDigest): Promise<readonly Descriptor[]>;

  /**
   * The signatures that are attached to `subject`, for sources that can tell; nothing about them is checked.
   *
   * @param subject - the digest of a manifest in this source.
   */
  signatures?(subject: OciDigest): Promise<readonly AttachedSignature[]>;

  /** Releases what the source holds. Locations stay valid as long as the files exist. */
  close(): Promise<void>;
}
