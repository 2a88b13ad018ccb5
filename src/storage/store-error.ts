import type { ErrorCodeOf } from '../error-codes.js';
import { ComposefsError, type ErrorDetails } from '../errors.js';

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
