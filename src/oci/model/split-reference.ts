import { statSync } from 'node:fs';
import { ImageReferenceError, type LayoutReference, parseArchiveRef, parseOciLayoutRef } from './image-reference.js';

/** More are in no path that anybody writes. */
const MAX_COLONS = 16;

/** Those whose images are named by a path with a tag. */
export type TaggedPathTransport = 'oci' | 'oci-archive' | 'docker-archive';

/**
 * The path and the tag of `TRANSPORT:PATH[:TAG]`, where both may hold colons: the split whose path is there. The rule of
 * the transport comes first (spec 40 §4.5 for layouts, the first colon for archives), then the others from the left.
 * Where there is no such path, the rule of the transport.
 */
export function splitLayoutReference(transport: TaggedPathTransport, name: string): LayoutReference {
  const byRule = transport === 'oci' ? parseOciLayoutRef(name) : parseArchiveRef(name);
  const isThere = ({ path }: LayoutReference): boolean => {
    try {
      const stat = statSync(path);
      return transport === 'oci' ? stat.isDirectory() : stat.isFile();
    } catch {
      // Opening it tells the reason, if no other path is there.
      return false;
    }
  };
  return [byRule, ...splitsOf(name), { path: name }].find(isThere) ?? byRule;
}

/**
 * That split, for a program that splits at the first colon: skopeo.
 *
 * @throws ImageReferenceError where it would read another path.
 */
export function splitForSkopeo(transport: TaggedPathTransport, name: string): LayoutReference {
  const split = splitLayoutReference(transport, name);
  const theirs = parseArchiveRef(name);
  if (theirs.path === split.path) return split;
  throw new ImageReferenceError(
    `${transport}:${name} means ${split.path} here and ${theirs.path} for skopeo`,
    'Name a path without colons, or leave --via skopeo out.',
  );
}

function splitsOf(name: string): LayoutReference[] {
  const splits: LayoutReference[] = [];
  for (let colon = name.indexOf(':'); colon >= 0 && splits.length < MAX_COLONS; colon = name.indexOf(':', colon + 1)) {
    splits.push({ path: name.slice(0, colon), tag: name.slice(colon + 1) });
  }
  return splits;
}
