import type { OciDigest } from '../model/digest.js';
import { parseManifest } from '../model/manifest.js';
import { RegistryError } from '../model/registry-error.js';
import { readAttachedSignatures, signatureTag } from '../signatures/attached-signatures.js';
import type { AttachedSignature } from '../signatures/check-policy.js';
import type { RegistryClient } from './client.js';

/** The signatures that cosign attached to a manifest: an artifact with a tag that is made of the digest. */
export async function fetchSignatures(
  client: RegistryClient,
  subject: OciDigest,
): Promise<readonly AttachedSignature[]> {
  let raw: Buffer;
  try {
    raw = (await client.manifest(signatureTag(subject))).raw;
  } catch (error) {
    if (error instanceof RegistryError && error.status === 404) return [];
    throw error;
  }
  return await readAttachedSignatures(parseManifest(raw).value, (descriptor) => client.blob(descriptor));
}
