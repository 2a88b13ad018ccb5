import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { ComposefsError } from '../../errors.js';
import { readSettingsFile } from '../containers-config/settings-file.js';
import type { KeySource } from './policy.js';

/** A public key that cannot be used. Code `INVALID_PUBLIC_KEY`. */
export class PublicKeyError extends ComposefsError {
  constructor(where: string, reason: string, cause?: unknown) {
    super('INVALID_PUBLIC_KEY', `${where}: ${reason}`, cause === undefined ? {} : { cause });
  }
}

/**
 * Loads the keys of a requirement: one PEM key each.
 *
 * @throws PublicKeyError
 */
export function loadPublicKeys(source: KeySource, origin: string): KeyObject[] {
  return [
    ...source.paths.map((path) => parsePublicKey(readKey(path), path)),
    ...source.data.map((data) => parsePublicKey(data, `the key in ${origin}`)),
  ];
}

/**
 * Parses a PEM public key: ECDSA, RSA or Ed25519.
 *
 * @throws PublicKeyError
 */
function parsePublicKey(pem: Buffer, where: string): KeyObject {
  const text = pem.toString('latin1').trim();
  // Node.js would take the public half of a private key too, or the key of a certificate without its other claims.
  if (!/^-----BEGIN (RSA )?PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END (RSA )?PUBLIC KEY-----$/.test(text)) {
    throw new PublicKeyError(where, 'is not one PEM public key');
  }
  let key: KeyObject;
  try {
    key = createPublicKey(text);
  } catch (cause) {
    throw new PublicKeyError(where, 'is not a public key', cause);
  }
  if (key.asymmetricKeyType === 'ec' || key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'ed25519')
    return key;
  throw new PublicKeyError(where, `keys of the type ${key.asymmetricKeyType} are not supported`);
}

/** Whether the key's owner signed the data: ECDSA (DER) or RSA (PKCS #1 v1.5) over SHA-256, or Ed25519. */
export function isSignedBy(key: KeyObject, data: Buffer, signature: Buffer): boolean {
  try {
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', data, key, signature);
  } catch {
    // A signature that is not even well-formed.
    return false;
  }
}

function readKey(path: string): Buffer {
  try {
    return readSettingsFile(path);
  } catch (cause) {
    throw new PublicKeyError(path, 'cannot be read', cause);
  }
}
