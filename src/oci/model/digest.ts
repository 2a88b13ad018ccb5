import { createHash, type Hash, hash } from 'node:crypto';
import { ComposefsError } from '../../errors.js';

declare const brand: unique symbol;

/**
 * An OCI content digest, `algorithm:encoded`, as text that passed {@link parseOciDigest}. It compares, sorts and works as
 * a Map key like any string, prints as itself in JSON, and is a safe file name: it can hold neither `/` nor NUL.
 */
export type OciDigest = string & { readonly [brand]: 'OciDigest' };

/** The type's companion, for `OciDigest.parse(text)`. */
export const OciDigest: {
  /** {@link parseOciDigest} */
  readonly parse: (text: string) => OciDigest;
} = { parse: parseOciDigest };

/** Code `INVALID_DIGEST`. */
export class OciDigestError extends ComposefsError {
  constructor(message: string) {
    super('INVALID_DIGEST', message);
  }
}

/** Hex characters of the registered algorithms; values of other algorithms are not interpreted. */
const HEX_LENGTHS: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]);

/**
 * Parses `algorithm:encoded` (spec 40 §2.1; the grammar of the OCI image specification's descriptors).
 *
 * @throws OciDigestError with the texts of the specification.
 */
export function parseOciDigest(text: string): OciDigest {
  const colon = text.indexOf(':');
  if (colon < 0) throw new OciDigestError("missing ':' in digest");
  const algorithm = text.slice(0, colon);
  const encoded = text.slice(colon + 1);
  for (const part of algorithm.split(/[+._-]/)) {
    if (part === '') throw new OciDigestError('Empty algorithm component');
    if (!/^[a-z0-9]+$/.test(part)) throw new OciDigestError(`Invalid algorithm component: ${part}`);
  }
  if (encoded === '') throw new OciDigestError('Empty algorithm value');
  if (!/^[a-zA-Z0-9=_-]+$/.test(encoded)) throw new OciDigestError(`Invalid encoded value ${encoded}`);
  const length = HEX_LENGTHS.get(algorithm);
  if (length !== undefined && encoded.length !== length) {
    throw new OciDigestError(`Invalid digest length ${encoded.length} expected ${length}`);
  }
  if (length !== undefined && !/^[0-9a-f]+$/.test(encoded)) {
    throw new OciDigestError(`Invalid non-hexadecimal character in digest: ${encoded}`);
  }
  return text as OciDigest;
}

/** The digest of a finished SHA-256 hash. */
export function sha256Digest(hex: string): OciDigest {
  return parseOciDigest(`sha256:${hex}`);
}

/** `D(bytes)`: the SHA-256 content digest. */
export function sha256ContentDigest(bytes: Uint8Array): OciDigest {
  return sha256Digest(hash('sha256', bytes, 'hex'));
}

const HASH_ALGORITHMS: readonly string[] = [...HEX_LENGTHS.keys()];

/**
 * A hash of the algorithm of `digest`, to compute one like it.
 *
 * @throws ComposefsError `UNSUPPORTED_DIGEST`
 */
export function hashLike(digest: OciDigest): Hash {
  return createHash(hashAlgorithm(digest));
}

/**
 * The algorithm of `digest`, one that Node can compute.
 *
 * @throws ComposefsError `UNSUPPORTED_DIGEST`
 */
export function hashAlgorithm(digest: OciDigest): string {
  const algorithm = digestAlgorithm(digest);
  if (HASH_ALGORITHMS.includes(algorithm)) return algorithm;
  throw new ComposefsError('UNSUPPORTED_DIGEST', `Cannot verify the digest ${digest}`);
}

/** The digest of a finished {@link hashLike}. */
export function finishHash(hash: Hash, like: OciDigest): OciDigest {
  return parseOciDigest(`${digestAlgorithm(like)}:${hash.digest('hex')}`);
}

/**
 * The content digest by the algorithm of `like`.
 *
 * @throws ComposefsError `UNSUPPORTED_DIGEST`
 */
export function contentDigestLike(like: OciDigest, bytes: Uint8Array): OciDigest {
  return finishHash(hashLike(like).update(bytes), like);
}

/** The text before the first `:`, such as `sha256`. */
export function digestAlgorithm(digest: OciDigest): string {
  return digest.slice(0, digest.indexOf(':'));
}

/** The text after the first `:`. */
export function digestEncoded(digest: OciDigest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** The hex of a SHA-256 digest; undefined for other algorithms. */
export function sha256Hex(digest: OciDigest): string | undefined {
  return digestAlgorithm(digest) === 'sha256' ? digestEncoded(digest) : undefined;
}
