import { ComposefsError } from '../../errors.js';

/** Tags are file names below `streams/refs/oci`, so `/` and `%` are encoded (spec 40 §1.2). */

const MAX_FILE_NAME_BYTES = 255;

/** Code `INVALID_REF_NAME`. */
export class RefNameError extends ComposefsError {
  constructor(message: string) {
    super('INVALID_REF_NAME', message);
  }
}

/** `%` becomes `%25` and `/` becomes `%2F`; nothing else changes. */
export function encodeTag(tag: string): string {
  return tag.replaceAll('%', '%25').replaceAll('/', '%2F');
}

/** One pass from the left; a `%` that starts no known escape stands for itself, with the characters after it. */
export function decodeTag(encoded: string): string {
  return encoded.replace(/%(.{0,2})/gsu, (all: string, code: string) => {
    if (code === '2F') return '/';
    return code === '25' ? '%' : all;
  });
}

/**
 * Checks the name of a new tag: no leading `@`, and an encoded form that is a file name (H-7).
 *
 * @throws RefNameError
 */
export function validateTag(name: string): void {
  if (name.startsWith('@')) {
    throw new RefNameError(`Invalid ref name "${name}": leading '@' is reserved for digest references`);
  }
  validateComponent(name, encodeTag(name));
}

/**
 * Checks the free-form name of a layer, which is used verbatim and may have several components (H-7).
 *
 * @throws RefNameError
 */
export function validateLayerName(name: string): void {
  for (const component of name.split('/')) validateComponent(name, component);
}

function validateComponent(name: string, component: string): void {
  const reason = whyNotFileName(component);
  if (reason !== undefined) throw new RefNameError(`Invalid ref name ${JSON.stringify(name)}: ${reason}`);
}

function whyNotFileName(component: string): string | undefined {
  if (component === '') return 'empty name or path component';
  if (component === '.' || component === '..') return `'${component}' is not a name`;
  if (component.includes('\0')) return 'NUL character';
  if (/\p{Surrogate}/u.test(component)) return 'not representable in UTF-8';
  const length = Buffer.byteLength(component);
  if (length > MAX_FILE_NAME_BYTES) return `${length} bytes when encoded, at most ${MAX_FILE_NAME_BYTES} are possible`;
  return undefined;
}
