import type { Repository } from '../../composefs/repository/repository.js';
import type { ManifestDocument } from '../model/manifest.js';
import type { ImageSource } from '../sources/image-source.js';
import { validateTag } from '../store/tags.js';
import { type AcceptManifest, acceptAll } from './accept-manifest.js';
import { bootImageOf, erofsImages, imagesByVersion, requireLinkableFormat } from './erofs-images.js';
import { inImport, openPull } from './open-pull.js';
import { pullContent } from './pull-content.js';
import { inTurn, type PullContext, withPullContext } from './pull-context.js';
import type { PullOptions, PullResult } from './pull-options.js';
import { pullReferrers } from './pull-referrers.js';
import { storeDocuments } from './store-documents.js';

/**
 * Brings an image or artifact into the repository (spec 40 §4): fetches what is missing, checks every digest, size and
 * diff_id, stores layers, builds the EROFS images of the repository's formats, stores config and manifest, and last of
 * all tags it as `tag`. A pull that fails leaves no tag; the layers that were complete stay for the next try.
 *
 * @param imgref `docker://HOST/NAME[:TAG][@DIGEST]` or without the transport, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`,
 *   `docker-archive:FILE[:TAG]`, `dir:DIR`, `containers-storage:NAME`; with skopeo installed, whatever it knows.
 */
export async function pull(
  repo: Repository,
  imgref: string,
  tag?: string,
  options: PullOptions = {},
): Promise<PullResult> {
  repo.ensureWritable();
  requireLinkableFormat(repo.erofsVersion);
  if (tag !== undefined) validateTag(tag);
  const { signal } = options;
  const { source, accept } = await openPull(repo, imgref, options);
  try {
    return await pullFrom(repo, source, tag, options, accept);
  } catch (error) {
    // Whatever failed because of the signal.
    signal?.throwIfAborted();
    throw error;
  } finally {
    await source.close();
  }
}

/**
 * {@link pull} from an open source. No signature policy is read: `accept` decides, before anything else of the image
 * is fetched.
 */
export async function pullFrom(
  repo: Repository,
  source: ImageSource,
  tag: string | undefined,
  options: Omit<PullOptions, 'signaturePolicy'>,
  accept: AcceptManifest = acceptAll,
): Promise<PullResult> {
  return await withPullContext(repo, source, options, async (context) => {
    const manifest = await inImport(source.context.image, context.signal, async () => {
      const document = await source.manifest();
      await accept(document, false);
      return document;
    });
    return await inTurn(context, manifest.digest, () => pullImage(manifest, tag, context, options, accept));
  });
}

/** The stages after the manifest is known: each stores what the next one links. Names come last, the tag last of all. */
async function pullImage(
  manifest: ManifestDocument,
  tag: string | undefined,
  context: PullContext,
  { layerRules, bootable = false, referrers: wantsReferrers = false }: PullOptions,
  accept: AcceptManifest,
): Promise<PullResult> {
  const { repo, source, names, signal } = context;
  const content = await inImport(source.context.image, signal, () => pullContent(manifest, context));
  const boot = bootable ? ({ xattrs: 'allowlist-only' } as const) : undefined;
  const built = content.isContainer ? await erofsImages(repo, content, { ...context, layerRules, boot }) : undefined;
  const { configVerity, manifestVerity, images } = await storeDocuments(content, built, context);
  const referrers = wantsReferrers ? await pullReferrers(manifest.digest, context, accept) : [];
  await names.giveAll(tag === undefined ? undefined : { tag, manifestDigest: manifest.digest });
  const { stats, transfer, pulledLayers: layers } = content;
  const [manifestDigest, configDigest] = [manifest.digest, manifest.value.config.digest];
  const ids = { manifestDigest, manifestVerity, configDigest, configVerity };
  const bootImage = built === undefined ? undefined : bootImageOf(built, repo.erofsVersion);
  return { ...ids, via: source.via, stats, transfer, layers, images: imagesByVersion(images), bootImage, referrers };
}
