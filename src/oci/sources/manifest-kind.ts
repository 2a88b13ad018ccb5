import { type JsonObject, MAX_MANIFEST_BYTES, parseJson } from '../../json/json.js';
import { ImageSourceError } from '../blob/blob-error.js';
import { isIndexMediaType, isManifestMediaType, SCHEMA1_HINT } from '../model/media-types.js';

/**
 * Whether a document is a manifest or an index, where nothing but its content tells.
 *
 * @param where for messages.
 * @throws ImageSourceError `UNEXPECTED_MEDIA_TYPE` for anything else, and where two readers could see two things.
 */
export function manifestKind(raw: Buffer, where: string): 'manifest' | 'index' {
  const json = parseJson(raw, MAX_MANIFEST_BYTES);
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
  const document: JsonObject = isObject ? (json as JsonObject) : {};
  const declared = typeof document['mediaType'] === 'string' ? document['mediaType'] : undefined;
  const hasIndex = 'manifests' in document;
  const hasManifest = 'layers' in document || 'config' in document;
  if (hasIndex !== hasManifest) {
    const kind = hasIndex ? 'index' : 'manifest';
    const agrees = kind === 'index' ? isIndexMediaType : isManifestMediaType;
    if (declared === undefined || agrees(declared)) return kind;
  }
  const message =
    hasIndex && hasManifest
      ? `The manifest of ${where} is ambiguous: it has the fields of an image and of an index`
      : `Unexpected media type ${declared ?? 'without a media type'} of ${where}`;
  const isOld = document['schemaVersion'] === 1n;
  throw new ImageSourceError('UNEXPECTED_MEDIA_TYPE', message, {
    hint: isOld ? SCHEMA1_HINT : 'This is no container image.',
  });
}
