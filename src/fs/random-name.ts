import { randomBytes } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** How often a temporary name that is taken is tried anew. */
export const TEMP_NAME_ATTEMPTS = 16;

/** Files being written where the file system has no anonymous ones. */
export const OBJECT_TEMP_PREFIX = '.tmp-object-';
/** The same for `meta.json`. */
export const METADATA_TEMP_PREFIX = '.tmp-meta-';
/** Symlinks on their way over an existing one. */
export const SYMLINK_TEMP_PREFIX = '.symlink-';

/** `prefix` and 12 random characters `[A-Za-z0-9]`. */
export function randomName(prefix: string): string {
  let name = prefix;
  // 62 of 256 values: the small bias does not matter, names only have to be unlikely to meet.
  for (const byte of randomBytes(12)) name += ALPHABET.charAt(byte % ALPHABET.length);
  return name;
}
