import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ProgressReporter } from '../../progress.js';
import type { StoreChoice } from '../../storage/index.js';
import type { DownloadSlots } from '../blob/download-slots.js';
import type { Transfer } from '../blob/layer-blob.js';
import type { RegistryConfigOptions } from '../containers-config/registry-config.js';
import type { RetryPolicy } from '../http/retry.js';
import type { HttpTimeouts } from '../http/timeouts.js';
import type { LayerRules } from '../layer/layer-rules.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import type { LayerLimits } from '../model/layer-limits.js';
import type { Platform } from '../model/platform.js';
import type { ReadVia } from '../sources/image-source.js';
import type { LocalFetchOpt } from '../sources/open-source.js';
import type { ImportStats } from './layer/import-stats.js';

/** How an image is pulled. Everything may be left out. */
export interface PullOptions {
  /** Event sink; by default events are dropped. */
  readonly progress?: ProgressReporter | undefined;
  /** Which image of an index to take; the host's by default. */
  readonly platform?: Platform | undefined;
  /** Stops the pull; layers that are complete by then stay. */
  readonly signal?: AbortSignal | undefined;
  /** At most so many worker threads; by default as many as are of use: one a processor. */
  readonly concurrency?: number | undefined;
  /**
   * Let this thread do a part of the work, several milliseconds at a time: for programs that have nothing else to do
   * meanwhile. It saves the start of a thread, and a pull of a few megabytes needs no other one. Default false.
   */
  readonly ownThread?: boolean | undefined;
  /** Where the configuration and the credentials of registries are; by default where podman has them. */
  readonly registry?: RegistryConfigOptions | undefined;
  /** How long to wait for registries. */
  readonly timeouts?: Partial<HttpTimeouts> | undefined;
  /** How often, and when, to ask a registry in trouble again. */
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** Bounds the transfers from registries; one object may serve several pulls. */
  readonly downloads?: DownloadSlots | undefined;
  /** Read the image with skopeo, whatever its transport is. By default skopeo is used only where it has to be. */
  readonly via?: 'skopeo' | undefined;
  /** How the layers of an image in a store of podman become objects; `if-possible` by default. */
  readonly localFetch?: LocalFetchOpt | undefined;
  /** The only store of podman to look into, and further ones; by default where podman has them. */
  readonly stores?: StoreChoice | undefined;
  /** A policy.json that decides which images are accepted; by default the user's or the system's, if there is one. */
  readonly signaturePolicy?: string | undefined;
  /** Bring the artifacts that refer to the image, too: signatures, SBOMs. */
  readonly referrers?: boolean | undefined;
  /** Store the blobs of compressed layers as well, so that the image can leave with its digest. */
  readonly keepBlobs?: boolean | undefined;
  /** Make the boot image of the mode `allowlist-only`, too; a pull of an image that cannot be booted then fails. */
  readonly bootable?: boolean | undefined;
  /** By which rules the layers become the image's tree; given, an image that is linked already is built again. */
  readonly layerRules?: LayerRules | undefined;
  /** How large a layer may be; there are bounds by default. */
  readonly layerLimits?: LayerLimits | undefined;
}

/** What a pull has stored and linked. */
export interface PullResult {
  readonly manifestDigest: OciDigest;
  /** The manifest's splitstream as it is linked now, after the EROFS images were linked. */
  readonly manifestVerity: ObjectId;
  readonly configDigest: OciDigest;
  readonly configVerity: ObjectId;
  readonly stats: ImportStats;
  /** By which way the image was read. */
  readonly via: ReadVia;
  /** What came from a registry, and what an earlier pull had kept of the same layers. */
  readonly transfer: Transfer;
  /** The image's layers, in order; a layer that is in it twice is there twice. */
  readonly layers: readonly PulledLayer[];
  /** The EROFS images that are linked now; none of an artifact. */
  readonly images: readonly PulledImage[];
  /** The boot image of the repository's format, if it was wanted; of an artifact there is none. */
  readonly bootImage?: ObjectId | undefined;
  /** The manifests of the referrers that are stored now, if they were wanted. */
  readonly referrers: readonly OciDigest[];
}

/** One layer of an image that was pulled. */
export interface PulledLayer {
  /** The diff_id; the blob's digest in an artifact. */
  readonly key: OciDigest;
  readonly blob: Descriptor;
  /** Whether it was stored before, so that nothing of it was read. */
  readonly wasPresent: boolean;
  readonly transfer: Transfer;
}

/** An EROFS image of a pulled image. */
export interface PulledImage {
  /** Of the format; 1 stands for 0 as well, which has the same place. */
  readonly version: 1 | 2;
  readonly id: ObjectId;
}
