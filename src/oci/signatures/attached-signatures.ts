import type { Descriptor } from '../model/descriptor.js';
import { digestAlgorithm, digestEncoded, type OciDigest } from '../model/digest.js';
import type { ImageManifest } from '../model/manifest.js';
import type { AttachedSignature } from './check-policy.js';
import { MAX_PAYLOAD_BYTES, SIGNATURE_ANNOTATION, SIMPLE_SIGNING_MEDIA_TYPE } from './simple-signing.js';

/** Of more than this many the others do not count: each is a request. */
const MAX_SIGNATURES = 100;
/** All payloads together; cosign's have some hundred bytes each. What comes after more does not count. */
const MAX_TOTAL_BYTES = 2 * MAX_PAYLOAD_BYTES;

/** The tag under which cosign keeps the signatures of a manifest, in the same repository. */
export function signatureTag(digest: OciDigest): string {
  return `${digestAlgorithm(digest)}-${digestEncoded(digest)}.sig`;
}

/** Reads the signatures that a manifest found under {@link signatureTag} has as its layers. */
export async function readAttachedSignatures(
  manifest: ImageManifest,
  readBlob: (descriptor: Descriptor) => Promise<Buffer>,
): Promise<AttachedSignature[]> {
  const found: AttachedSignature[] = [];
  let total = 0;
  for (const layer of manifest.layers.filter(isSignature).slice(0, MAX_SIGNATURES)) {
    const { annotations = {} } = layer;
    total += layer.size;
    if (total > MAX_TOTAL_BYTES) break;
    const signature = Buffer.from(annotations[SIGNATURE_ANNOTATION] ?? '', 'base64');
    found.push({ payload: await readBlob(layer), signature, annotations });
  }
  return found;
}

function isSignature({ mediaType, size, annotations }: Descriptor): boolean {
  if (mediaType !== SIMPLE_SIGNING_MEDIA_TYPE || size > MAX_PAYLOAD_BYTES) return false;
  return annotations?.[SIGNATURE_ANNOTATION] !== undefined;
}
