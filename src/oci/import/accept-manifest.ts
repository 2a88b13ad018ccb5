import type { ManifestDocument } from '../model/manifest.js';
import { checkPolicy } from '../signatures/check-policy.js';
import { referrerIdentity } from '../signatures/image-identity.js';
import type { Policy } from '../signatures/policy.js';
import type { ImageSource } from '../sources/image-source.js';

/**
 * Throws if the image of a manifest is not to be pulled. A referrer of the image, which nobody has named, is left out for
 * a PolicyRejection.
 */
export type AcceptManifest = (manifest: ManifestDocument, isReferrer: boolean) => Promise<void>;

export const acceptAll: AcceptManifest = async () => undefined;

/** Accepts what a signature policy accepts. */
export function acceptByPolicy(policy: Policy, source: ImageSource): AcceptManifest {
  const { identity } = source;
  const fetchSignatures = source.signatures.bind(source);
  return async ({ digest }, isReferrer) => {
    const known = isReferrer ? referrerIdentity(identity, digest) : identity;
    await checkPolicy(policy, { identity: known, digest, fetchSignatures });
  };
}
