import type { LayerBlob } from '../blob/layer-blob.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import type { ManifestDocument } from '../model/manifest.js';
import type { AttachedSignature } from '../signatures/check-policy.js';
import type { PolicyIdentity } from '../signatures/policy-scope.js';

/** One image, of one platform, in some place. */
export interface ImageSource {
  /** The reference that the source was opened by, for messages. */
  readonly reference: string;

  /** By which way it is read, for results and people. */
  readonly via: ReadVia;

  /** What errors say that happen while the image is read. */
  readonly context: SourceContext;

  /** What signature policies know the image by. */
  readonly identity: PolicyIdentity;

  /** The manifest of the image for the wanted platform. Its bytes have the digest by which the source lists it. */
  manifest(): Promise<ManifestDocument>;

  /**
   * The whole content of a small blob such as a config: exactly the bytes that the descriptor names, by digest and size.
   * More than `maxBytes` (default 64 MiB) are refused before anything is read.
   */
  readBlob(descriptor: Descriptor, maxBytes?: number): Promise<Buffer>;

  /** So many layers are about to be read, once the config is there: what they need can be made ready meanwhile. */
  expectLayers?(count: number): void;

  /** A layer of the manifest. Whether it is there is seen when it is read. */
  layer(descriptor: Descriptor): LayerBlob;

  /**
   * The manifests that name `subject` as their subject. They are read by {@link readBlob}.
   *
   * @param subject the digest of a manifest in this source.
   * @throws ComposefsError `REFERRERS_UNSUPPORTED` by a source that cannot tell.
   */
  referrers(subject: OciDigest): Promise<readonly Descriptor[]>;

  /**
   * The signatures that are attached to `subject`; nothing about them is checked. None where there can be none.
   *
   * @param subject the digest of a manifest in this source.
   */
  signatures(subject: OciDigest): Promise<readonly AttachedSignature[]>;

  /** Releases what the source holds. */
  close(): Promise<void>;
}

/**
 * Where bytes come from: files as they are, the network, skopeo; the files of a store of containers/storage, where they
 * need one in a user namespace.
 */
export type ReadVia = 'files' | 'registry' | 'skopeo' | 'store' | 'store-in-user-namespace';

/** What the errors of a pull say first, in the words of the reference. */
export interface SourceContext {
  /** Of everything: `Importing OCI layout from …`, `Unable to pull container image …`. */
  readonly image: string;
  /** Of config and layers; the digest of the manifest follows. */
  readonly content: 'Failed to import image content for manifest' | 'Failed to pull image content for manifest';
  /** Of the config; its digest follows. */
  readonly config: 'Failed to read config' | 'Failed to fetch config';
}
