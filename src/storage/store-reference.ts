import { StoreError } from './store-error.js';
import type { StoreChoice } from './store-locations.js';
import { imageStoreOptions } from './store-locations.js';

/** What follows `containers-storage:`. */
export interface StoreReference {
  /** What is in brackets; empty if nothing is. */
  readonly store: StoreChoice;
  /** The name, id or digest. */
  readonly image: string;
}

const DRIVER = /^[a-z0-9]+$/;

/**
 * Parses `[STORE]NAME[:TAG|@DIGEST]` or `[STORE]@ID`, where STORE is `[DRIVER@]GRAPHROOT[+RUNROOT][:OPTIONS]` in
 * brackets, as containers/image has it. The run root says nothing of images.
 *
 * @throws StoreError `INVALID_STORE_REFERENCE`
 */
export function parseStoreReference(text: string): StoreReference {
  if (!text.startsWith('[')) return { store: {}, image: requireImage(text, text) };
  const end = text.indexOf(']');
  if (end < 0) throw invalid(text, 'the bracket is not closed');
  const image = requireImage(text.slice(end + 1), text);
  const [, roots = '', options = ''] = /^([^:]*):?(.*)$/s.exec(text.slice(1, end)) ?? [];
  const at = roots.indexOf('@');
  const driver = at < 0 ? undefined : roots.slice(0, at);
  if (driver !== undefined && !DRIVER.test(driver)) throw invalid(text, `${JSON.stringify(driver)} is no driver`);
  const [root = ''] = roots.slice(at + 1).split('+', 1);
  if (root !== '' && !root.startsWith('/')) throw invalid(text, 'the graph root must be an absolute path');
  return {
    store: {
      ...(root !== '' && { root }),
      ...(driver !== undefined && { driver }),
      additionalImageStores: imageStoreOptions(options),
    },
    image,
  };
}

function requireImage(image: string, text: string): string {
  if (image === '' || image === '@') throw invalid(text, 'it names no image');
  return image;
}

function invalid(text: string, why: string): StoreError {
  return new StoreError('INVALID_STORE_REFERENCE', `invalid reference 'containers-storage:${text}': ${why}`, {
    hint: 'it is [DRIVER@GRAPHROOT]NAME:TAG, with the brackets, or NAME:TAG, or @ID',
  });
}
