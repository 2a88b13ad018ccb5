import { ComposefsError } from '../../errors.js';
import type { OciDigest } from '../model/digest.js';
import { formatImageReference, type ImageReference } from '../model/image-reference.js';
import { parseRegistryReference } from '../model/registry-reference.js';
import { splitLayoutReference } from '../model/split-reference.js';
import { otherIdentity, type PolicyIdentity, pathIdentity, registryIdentity } from './policy-scope.js';

/**
 * What policies know the image by that a reference names. One in a registry must be complete.
 *
 * @param realPath That of the files, if they are open. Else they are looked up now, and those that are read later may be
 *   others.
 */
export function imageIdentity(reference: ImageReference, realPath?: string): PolicyIdentity {
  const { transport, name } = reference;
  switch (transport) {
    case 'registry':
      return registryIdentity(parseRegistryReference(name));
    case 'oci':
    case 'oci-archive':
      return pathIdentity(transport, realPath ?? splitLayoutReference(transport, name).path);
    case 'dir':
      return pathIdentity('dir', realPath ?? name);
    case 'docker-daemon':
      return daemonIdentity(name) ?? otherIdentity(transport, formatImageReference(reference));
    default:
      return otherIdentity(transport, formatImageReference(reference));
  }
}

/** That of a manifest in the repository of an image, known by its digest only. */
export function referrerIdentity(image: PolicyIdentity, digest: OciDigest): PolicyIdentity {
  const { reference } = image;
  if (reference === undefined) return image;
  return registryIdentity({ host: reference.host, repository: reference.repository, digest });
}

/** Undefined for an image that is named by its id. */
function daemonIdentity(name: string): PolicyIdentity | undefined {
  try {
    return registryIdentity(parseRegistryReference(name), 'docker-daemon');
  } catch (error) {
    if (error instanceof ComposefsError) return undefined;
    throw error;
  }
}
