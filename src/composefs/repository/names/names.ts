import { ComposefsError } from '../../../errors.js';
import { NAME_MAX } from '../../../linux/constants.js';

/**
 * Which names may appear below `streams/` and `images/` (spec 10 §11.3).
 *
 * Names become paths; these rules keep them inside their directory and keep a `/` from making a directory where the
 * garbage collector expects links.
 */

/** The directory of named references inside a category: not a name itself. */
export const REFS = 'refs';

/** The name of an entry in `streams/`: one component, but not `refs`. */
export function validateContentIdentifier(name: string): string {
  return checked(name, 'content identifier', name === REFS ? 'it is reserved' : componentProblem(name));
}

/** The name of a reference: components separated by single slashes. */
export function validateRefName(name: string): string {
  return checked(name, 'reference name', pathProblem(name));
}

/** The name of a stream to open: a content identifier, or `refs/` and a reference name. */
export function validateStreamName(name: string): string {
  if (!name.includes('/')) return validateContentIdentifier(name);
  return checked(name, 'stream name', name.startsWith(`${REFS}/`) ? pathProblem(name) : 'it has a /');
}

/** The name of an image to open: a digest, a reference name, or `refs/` and a reference name. */
export function validateImageName(name: string): string {
  return checked(name, 'image name', name === REFS ? 'it is reserved' : pathProblem(name));
}

/** What selects references to list: empty, or a directory below `refs/`, with or without a slash at its end. */
export function validateRefPrefix(prefix: string): string {
  const directory = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  return directory === '' ? '' : checked(directory, 'reference prefix', pathProblem(directory));
}

function pathProblem(name: string): string | undefined {
  for (const component of name.split('/')) {
    const problem = componentProblem(component);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function componentProblem(component: string): string | undefined {
  if (component === '') return 'it has an empty component';
  if (component === '.' || component === '..') return `it has the component ${component}`;
  if (component.includes('/')) return 'it has a /';
  if (component.includes('\0')) return 'it has a NUL character';
  if (/\p{Surrogate}/u.test(component)) return 'it is not valid Unicode';
  if (Buffer.byteLength(component) > NAME_MAX) return `it has a component longer than ${NAME_MAX} bytes`;
  return undefined;
}

function checked(name: string, what: string, problem: string | undefined): string {
  if (problem === undefined) return name;
  throw new ComposefsError('INVALID_NAME', `invalid ${what} ${JSON.stringify(name)}: ${problem}`);
}
