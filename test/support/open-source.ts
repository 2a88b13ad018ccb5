import type { ImageSource } from '../../src/oci/sources/image-source.js';
import { type OpenSourceOptions, openReference, parseSourceReference } from '../../src/oci/sources/open-source.js';

/** Opens the image that a reference such as `oci:directory:tag` names. */
export async function openSource(text: string, options: OpenSourceOptions = {}): Promise<ImageSource> {
  return await openReference(parseSourceReference(text), options);
}
