import { ComposefsError } from '../../errors.js';
import {
  formatImageReference,
  type ImageReference,
  parseArchiveRef,
  parseOciLayoutRef,
} from '../model/image-reference.js';
import { parseRegistryReference } from '../registry/reference.js';
import { otherIdentity, type PolicyIdentity, pathIdentity, registryIdentity } from './policy-scope.js';

/** What policies know the image by that a reference names. One in a registry must be complete. */
export function imageIdentity(reference: ImageReference): PolicyIdentity {
  const { transport, name } = reference;
  switch (transport) {
    case 'registry':
      return registryIdentity(parseRegistryReference(name));
    case 'oci':
      return pathIdentity('oci', parseOciLayoutRef(name).path);
    case 'oci-archive':
      return pathIdentity('oci-archive', parseArchiveRef(name).path);
    case 'dir':
      return pathIdentity('dir', name);
    case 'docker-daemon':
      return daemonIdentity(name) ?? otherIdentity(transport, formatImageReference(reference));
    default:
      return otherIdentity(transport, formatImageReference(reference));
  }
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
