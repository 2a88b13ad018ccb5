import { ComposefsError } from '../../errors.js';
import { MAX_MANIFEST_BYTES } from '../../json/json.js';
import type { ProgressReporter } from '../../progress.js';
import type { OciDigest } from '../model/digest.js';
import { type ManifestDocument, parseManifest } from '../model/manifest.js';
import { isManifestMediaType } from '../model/media-types.js';
import type { ImageSource } from './image-source.js';

/**
 * The manifests that refer to `subject`, one after the other: all of a long list would fill the memory. What is listed but
 * names another subject, or none, is left out: a list is only a claim.
 *
 * @throws ComposefsError `REFERRERS_UNSUPPORTED` if the source cannot list them.
 */
export async function* readReferrers(
  source: ImageSource,
  subject: OciDigest,
  progress: ProgressReporter,
): AsyncGenerator<ManifestDocument> {
  for (const descriptor of await source.referrers(subject)) {
    const skip = (why: string): void => {
      progress.report({ type: 'message', text: `Ignoring referrer ${descriptor.digest}: ${why}` });
    };
    if (!isManifestMediaType(descriptor.mediaType)) {
      skip(`it is of type ${descriptor.mediaType}`);
      continue;
    }
    const document = parseManifest(await source.readBlob(descriptor, MAX_MANIFEST_BYTES));
    if (document.value.subject?.digest === subject) yield document;
    else skip(`its subject is ${document.value.subject?.digest ?? 'not given'}`);
  }
}

/** The referrers of an image in a place that cannot tell. */
export async function listNoReferrers({ reference }: Pick<ImageSource, 'reference'>): Promise<never> {
  const message = `${reference} is in a place that does not list referrers`;
  throw new ComposefsError('REFERRERS_UNSUPPORTED', message, {
    hint: 'Registries do, docker://HOST/NAME, and layouts, oci: and oci-archive:.',
  });
}
