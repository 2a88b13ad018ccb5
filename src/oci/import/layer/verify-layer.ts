import type { ObjectId } from '../../../composefs/fsverity/object-id.js';
import { ObjectStore, type ObjectStoreOptions } from '../../../composefs/repository/objects/object-store.js';
import { errorChain } from '../../../errors.js';
import { verifyLayer } from '../../layer/layer-content.js';

/** A stored layer or blob whose content is to be compared with a digest. */
export interface VerifyLayerInput {
  readonly store: ObjectStoreOptions;
  readonly verity: ObjectId;
  readonly digest: string;
  readonly contentType: bigint;
}

/** What is wrong with the layer, or that nothing is. */
export type VerifyLayerOutput = { readonly problem?: string };

export function verifyStoredLayer({ store, verity, digest, contentType }: VerifyLayerInput): VerifyLayerOutput {
  try {
    verifyLayer(new ObjectStore(store), verity, digest, contentType);
    return {};
  } catch (error) {
    return { problem: errorChain(error)[0] ?? 'unknown error' };
  }
}
