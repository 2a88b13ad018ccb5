import type { ErrorCodeOf } from '../error-codes.js';
import { ComposefsError, type ErrorDetails } from '../errors.js';

/** For images and layers that are not whole any more. */
export const PULL_AGAIN_HINT = 'pull the image with podman again, after `podman rmi`';

/** Of stores that this user may not read. */
export const OTHER_OWNER_HINT = 'it belongs to another user: run the command as that user, or as root';

/**
 * Something about a store of containers/storage. Codes:
 *
 * - `STORE_NOT_FOUND`, `STORE_DRIVER_UNSUPPORTED`, `INVALID_STORE`, `INVALID_STORAGE_CONF`, `INVALID_STORE_REFERENCE`: there is no store, or it is none that can be read
 * - `IMAGE_NOT_IN_STORE`, `AMBIGUOUS_IMAGE`
 * - `LAYER_NOT_IN_STORE`, `LAYER_NOT_REBUILDABLE`, `LAYER_FILE_CHANGED`, `INVALID_TAR_SPLIT`: a layer cannot be had from
 *   the store as it was when it came there
 */
export class StoreError extends ComposefsError {
  declare readonly code: ErrorCodeOf<'storage'> | 'AMBIGUOUS_IMAGE';

  constructor(code: ErrorCodeOf<'storage'> | 'AMBIGUOUS_IMAGE', message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}
