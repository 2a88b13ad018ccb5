import { withZstdEncode } from '../../compression/zstd/encode.js';
import type { LinkedImages } from '../store/config-stream.js';
import { type ImageContent, type ImageLinks, linkImage, prepareLink } from '../store/link-image.js';
import { idsOf } from './erofs-images.js';
import type { PullContext } from './pull-context.js';

/**
 * Stores config and manifest of an image whose layers are stored. They get their names later, with the others.
 *
 * @param built its EROFS images; undefined of an artifact, and where they are left as they are.
 */
export async function storeDocuments(
  content: ImageContent,
  built: LinkedImages | undefined,
  { repo, names, progress, signal }: PullContext,
): Promise<ImageLinks> {
  // Whole each time: what is found in the repository must still hold when something is stored.
  const prepared = await prepareLink(repo, content, names.find, signal);
  const links = await withZstdEncode((encode) => linkImage(repo, prepared, content, built, encode, names.find));
  const { digest } = content.manifest;
  const text = links.wasStored ? `Already have manifest ${digest}` : `Storing manifest ${digest}`;
  progress.report({ type: 'message', text });
  names.addImage(links, built === undefined ? [] : idsOf(built));
  return links;
}
