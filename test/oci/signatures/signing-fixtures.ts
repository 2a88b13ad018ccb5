import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { OciDigest } from '../../../src/oci/model/digest.js';
import { parseRegistryReference } from '../../../src/oci/model/registry-reference.js';
import type { AttachedSignature, PolicySubject } from '../../../src/oci/signatures/check-policy.js';
import { type PolicyIdentity, registryIdentity } from '../../../src/oci/signatures/policy-scope.js';

export interface Signer {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly pem: string;
}

export function signer(type: 'p256' | 'p384' | 'rsa' | 'ed25519'): Signer {
  const { privateKey, publicKey } = pair(type);
  return { privateKey, publicKey, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

function pair(type: 'p256' | 'p384' | 'rsa' | 'ed25519'): { privateKey: KeyObject; publicKey: KeyObject } {
  switch (type) {
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    case 'ed25519':
      return generateKeyPairSync('ed25519');
  }
}

/** What cosign signs. */
export function payloadFor(digest: string, reference: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': reference },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  );
}

export function signPayload({ privateKey }: Signer, payload: Buffer): Buffer {
  return sign(privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, privateKey);
}

export function attached(by: Signer, digest: string, reference: string): AttachedSignature {
  const payload = payloadFor(digest, reference);
  return { payload, signature: signPayload(by, payload), annotations: {} };
}

export function subject(
  image: string | PolicyIdentity,
  digest: OciDigest,
  signatures: readonly AttachedSignature[] = [],
): PolicySubject {
  const identity = typeof image === 'string' ? registryIdentity(parseRegistryReference(image)) : image;
  return { identity, digest, fetchSignatures: async () => signatures };
}
