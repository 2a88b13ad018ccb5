import { ComposefsError } from '../../errors.js';
import type { JsonValue } from '../../json/json.js';
import {
  formatRegistryReference,
  hasHost,
  isHost,
  parseNamedReference,
  type RegistryReference,
  repositoryName,
} from '../model/registry-reference.js';
import { anyObject, exactObject, FieldError, textField } from './exact-object.js';

/** Which names a signature may have been made for (containers-policy.json(5), `signedIdentity`). */
export type SignedIdentity =
  | { readonly type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository' }
  | { readonly type: 'exactReference' | 'exactRepository'; readonly reference: RegistryReference }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string };

/**
 * @param value Undefined stands for `matchRepoDigestOrExact`.
 * @throws FieldError
 */
export function parseSignedIdentity(where: string, value: JsonValue | undefined): SignedIdentity {
  if (value === undefined) return { type: 'matchRepoDigestOrExact' };
  const { type = null } = anyObject(where, value);
  switch (type) {
    case 'matchExact':
    case 'matchRepoDigestOrExact':
    case 'matchRepository':
      exactObject(where, value, ['type']);
      return { type };
    case 'exactReference': {
      const fields = exactObject(where, value, ['type', 'dockerReference']);
      const reference = parseName(where, textField(where, fields, 'dockerReference'));
      if (isNameOnly(reference)) throw new FieldError(`dockerReference of ${where} has neither tag nor digest`);
      return { type, reference };
    }
    case 'exactRepository': {
      const fields = exactObject(where, value, ['type', 'dockerRepository']);
      const reference = parseName(where, textField(where, fields, 'dockerRepository'));
      if (!isNameOnly(reference)) throw new FieldError(`dockerRepository of ${where} has a tag or digest`);
      return { type, reference };
    }
    case 'remapIdentity': {
      const fields = exactObject(where, value, ['type', 'prefix', 'signedPrefix']);
      const [prefix, signedPrefix] = [textField(where, fields, 'prefix'), textField(where, fields, 'signedPrefix')];
      for (const text of [prefix, signedPrefix]) {
        if (!isPrefix(text))
          throw new FieldError(`'${text}' of ${where} is neither host[:port] nor the complete name of a repository`);
      }
      return { type, prefix, signedPrefix };
    }
    default:
      throw new FieldError(`${where} has an unknown type`);
  }
}

/**
 * Whether a signature for `signed` counts for an image.
 *
 * @param image The name by which the image is pulled, with a tag or a digest but not both; undefined for an image
 *   without such a name, from a directory.
 * @param signed The text in the signature.
 */
export function matchesIdentity(
  identity: SignedIdentity,
  image: RegistryReference | undefined,
  signed: string,
): boolean {
  const signature = tryParse(signed);
  if (signature === undefined) return false;
  switch (identity.type) {
    case 'exactReference':
      return isSame(identity.reference, signature);
    case 'exactRepository':
      return repositoryName(identity.reference) === repositoryName(signature);
    case 'matchExact':
      return image !== undefined && isSame(image, signature);
    case 'matchRepository':
      return image !== undefined && repositoryName(image) === repositoryName(signature);
    case 'matchRepoDigestOrExact':
      return image !== undefined && matchesRepoDigestOrExact(image, signature);
    case 'remapIdentity': {
      const mapped = image === undefined ? undefined : remap(image, identity.prefix, identity.signedPrefix);
      return mapped !== undefined && matchesRepoDigestOrExact(mapped, signature);
    }
  }
}

function matchesRepoDigestOrExact(image: RegistryReference, signature: RegistryReference): boolean {
  // A digest was compared with the manifest already, and the manifest with the signature.
  if (image.digest !== undefined) return !isNameOnly(signature) && repositoryName(image) === repositoryName(signature);
  return isSame(image, signature);
}

/** Neither may be without tag and digest. */
function isSame(a: RegistryReference, b: RegistryReference): boolean {
  return !isNameOnly(a) && !isNameOnly(b) && formatRegistryReference(a) === formatRegistryReference(b);
}

function isNameOnly({ tag, digest }: RegistryReference): boolean {
  return tag === undefined && digest === undefined;
}

/** The same image below another prefix; undefined if that is no name. An image that the prefix is not for stays. */
function remap(image: RegistryReference, prefix: string, signedPrefix: string): RegistryReference | undefined {
  const name = repositoryName(image);
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image;
  const mapped = signedPrefix + formatRegistryReference(image).slice(prefix.length);
  return hasHost(mapped) ? tryParse(mapped) : undefined;
}

function isPrefix(text: string): boolean {
  if (isHost(text)) return true;
  const reference = hasHost(text) ? tryParse(text) : undefined;
  return reference !== undefined && isNameOnly(reference);
}

function parseName(where: string, text: string): RegistryReference {
  const reference = tryParse(text);
  if (reference === undefined) throw new FieldError(`'${text}' of ${where} is no image name`);
  return reference;
}

function tryParse(text: string): RegistryReference | undefined {
  try {
    return parseNamedReference(text);
  } catch (error) {
    if (error instanceof ComposefsError) return undefined;
    throw error;
  }
}
