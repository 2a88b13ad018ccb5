import { type JsonObject, type JsonValue, MAX_MANIFEST_BYTES, parseJson } from '../../json/json.js';
import { ImageSourceError } from '../blob/blob-error.js';
import { BlobVerifier } from '../blob/verified-read.js';
import type { HttpHeaders } from '../http/response-head.js';
import { type OciDigest, parseOciDigest } from '../model/digest.js';
import {
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  isIndexMediaType,
  isManifestMediaType,
  isSchema1MediaType,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1_HINT,
} from '../model/media-types.js';

/** What we can read; a registry converts nothing to it, but without the header some send an older kind. */
export const MANIFEST_ACCEPT: string = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_MANIFEST_LIST].join(', ');

/** A manifest or an index as it came, with the digests checked. */
export interface FetchedManifest {
  readonly raw: Buffer;
  readonly kind: 'manifest' | 'index';
  readonly mediaType: string;
}

/**
 * Checks a manifest's bytes against the digest that it was asked for by, or else against `Docker-Content-Digest`, and
 * tells what it is.
 *
 * @param where - for messages.
 * @throws BlobError `BLOB_DIGEST_MISMATCH`, ImageSourceError `UNEXPECTED_MEDIA_TYPE`, JsonError
 */
export function checkManifest(
  raw: Buffer,
  headers: HttpHeaders,
  wanted: OciDigest | undefined,
  where: string,
): FetchedManifest {
  const header = contentType(headers);
  if (header !== undefined && isSchema1MediaType(header)) throw schema1Error(where);
  try {
    const digest = wanted ?? claimedDigest(headers);
    if (digest !== undefined) checkDigest(raw, digest);
  } catch (error) {
    // The digest of a signed one is that of what was signed only.
    throw isSchema1Document(raw) ? schema1Error(where) : error;
  }

  const json = parseJson(raw, MAX_MANIFEST_BYTES);
  const document: JsonObject = isObject(json) ? json : {};
  if (document['schemaVersion'] === 1n) throw schema1Error(where);
  const declared = typeof document['mediaType'] === 'string' ? document['mediaType'] : undefined;
  const mediaType = header !== undefined && isKnown(header) ? header : (declared ?? header ?? 'without a media type');
  if (!isKnown(mediaType)) {
    throw new ImageSourceError('UNEXPECTED_MEDIA_TYPE', `Unexpected media type ${mediaType} of ${where}`, {
      hint: 'This is no container image, or the address is not that of a registry.',
    });
  }
  const kind = isIndexMediaType(mediaType) ? 'index' : 'manifest';
  // Two readers must never see two things in the same signed bytes.
  const isOther = kind === 'index' ? 'layers' in document || 'config' in document : 'manifests' in document;
  if (isOther || (declared !== undefined && isKnown(declared) && isIndexMediaType(declared) !== (kind === 'index'))) {
    const message = `The manifest at ${where} is ambiguous: it comes as ${mediaType}, but its content is of another kind`;
    throw new ImageSourceError('UNEXPECTED_MEDIA_TYPE', message);
  }
  return { raw, kind, mediaType };
}

function schema1Error(where: string): ImageSourceError {
  const message = `The manifest of ${where} is a Docker image manifest of version 1`;
  return new ImageSourceError('UNEXPECTED_MEDIA_TYPE', message, { hint: SCHEMA1_HINT });
}

function isSchema1Document(raw: Buffer): boolean {
  try {
    const json = parseJson(raw, MAX_MANIFEST_BYTES);
    return isObject(json) && json['schemaVersion'] === 1n;
  } catch {
    return false;
  }
}

function contentType(headers: HttpHeaders): string | undefined {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase();
}

function isKnown(mediaType: string): boolean {
  return isManifestMediaType(mediaType) || isIndexMediaType(mediaType);
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkDigest(raw: Buffer, digest: OciDigest): void {
  const verifier = new BlobVerifier({ digest, size: raw.length });
  verifier.update(raw);
  verifier.finish();
}

/** The header's digest, if it is one that can be checked; a header that came twice may say the same twice. */
function claimedDigest(headers: HttpHeaders): OciDigest | undefined {
  const claims = new Set((headers['docker-content-digest'] ?? '').split(',').map((claim) => claim.trim()));
  const [claim = ''] = claims;
  if (claims.size !== 1 || !/^sha(256|384|512):/.test(claim)) return undefined;
  try {
    return parseOciDigest(claim);
  } catch {
    return undefined;
  }
}
