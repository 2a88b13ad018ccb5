import { ComposefsError } from '../../errors.js';
import { type OciDigest, parseOciDigest } from '../../index.js';
import { parseArgumentValue } from '../context/usage-error.js';

/** An image on the command line (spec 70 B6): `@` and a digest, or a tag. */
export type OciReference =
  | { readonly kind: 'digest'; readonly digest: OciDigest }
  | { readonly kind: 'tag'; readonly tag: string };

/** @param name of the argument, for the usage error. */
export function parseOciReference(name: string, text: string): OciReference {
  if (!text.startsWith('@')) return { kind: 'tag', tag: text };
  return {
    kind: 'digest',
    digest: parseArgumentValue(name, text, () => parseDigestAfterAt(text)),
  };
}

function parseDigestAfterAt(text: string): OciDigest {
  try {
    return parseOciDigest(text.slice(1));
  } catch (cause) {
    throw new ComposefsError('INVALID_DIGEST', "Invalid OCI digest after '@'", { cause });
  }
}
