import { parseJson } from '../../json/json.js';
import { type OciDigest, parseOciDigest } from '../model/digest.js';
import { anyObject, exactObject, FieldError, textField } from './exact-object.js';

/** What a signature says: an image of this digest has this name. */
export interface SimpleSigningPayload {
  readonly digest: OciDigest;
  /** As text: of what nobody has signed yet. */
  readonly reference: string;
}

export const SIMPLE_SIGNING_MEDIA_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
export const MAX_PAYLOAD_BYTES: number = 4 << 20;

const SIGNATURE_TYPE = 'cosign container image signature';

/**
 * Parses the payload of a cosign signature, strictly (containers-signature(5), "simple signing", as cosign writes it).
 *
 * @throws FieldError, JsonError, OciDigestError
 */
export function parseSimpleSigning(bytes: Buffer): SimpleSigningPayload {
  const { critical, optional = null } = exactObject('the payload', parseJson(bytes, MAX_PAYLOAD_BYTES), [
    'critical',
    'optional',
  ]);
  // Whatever a signer likes to note.
  if (optional !== null) checkOptional(anyObject("'optional'", optional));
  const fields = exactObject("'critical'", critical, ['type', 'image', 'identity']);
  const type = textField("'critical'", fields, 'type');
  if (type !== SIGNATURE_TYPE) throw new FieldError(`the signature has the unknown type '${type}'`);
  const { image, identity } = fields;
  const signedImage = exactObject("'image'", image, ['docker-manifest-digest']);
  const signedName = exactObject("'identity'", identity, ['docker-reference']);
  return {
    digest: parseOciDigest(textField("'image'", signedImage, 'docker-manifest-digest')),
    reference: textField("'identity'", signedName, 'docker-reference'),
  };
}

function checkOptional(optional: Readonly<Record<string, unknown>>): void {
  const { creator, timestamp } = optional;
  if (creator !== undefined && typeof creator !== 'string') throw new FieldError("'creator' is not text");
  if (timestamp !== undefined && typeof timestamp !== 'bigint') throw new FieldError("'timestamp' is not an integer");
}
