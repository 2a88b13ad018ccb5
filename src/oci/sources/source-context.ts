import { formatImageReference, type ImageReference } from '../model/image-reference.js';
import { splitLayoutReference } from '../model/split-reference.js';
import type { SourceContext } from './image-source.js';

const IMPORTING = {
  content: 'Failed to import image content for manifest',
  config: 'Failed to read config',
} as const;
const PULLING = {
  content: 'Failed to pull image content for manifest',
  config: 'Failed to fetch config',
} as const;

/** What errors say of an image that is read from files here. */
export function importingContext(reference: ImageReference): SourceContext {
  return { image: imageContext(reference), ...IMPORTING };
}

/** What they say of one that comes from a registry, or from skopeo. */
export function pullingContext(reference: ImageReference): SourceContext {
  return { image: imageContext(reference), ...PULLING };
}

/** What failed, for the errors of importing an image (spec 40 §4.2, §4.5). */
export function imageContext(reference: ImageReference): string {
  const { transport, name } = reference;
  if (transport === 'oci' || transport === 'oci-archive') {
    return `Importing OCI layout from ${splitLayoutReference(transport, name).path}`;
  }
  // What is before the `@` may be a password, which messages do not show.
  return `Unable to pull container image ${formatImageReference(reference).replace(/(?<=^docker:\/\/).*@(?=.*\/)/, '…@')}`;
}
