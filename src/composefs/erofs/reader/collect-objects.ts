import { runSteps, type Steps } from '../../../threads/turns.js';
import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import { type ObjectId, objectPathname } from '../../fsverity/object-id.js';
import { decodeMetacopy } from '../format/metacopy.js';
import { fsckMetadataSteps } from './fsck-metadata.js';
import { ErofsImage } from './image.js';
import { METACOPY_SUFFIX, parseRedirect, REDIRECT_SUFFIX } from './inode-xattrs.js';
import { walkInodeSteps } from './walk.js';
import type { Xattr } from './xattr.js';

/**
 * The objects that an image refers to (spec 20 §11): by digest and by path, normally the same.
 *
 * @throws ErofsReaderError if the image is not a composefs image, breaks the rules of its version, or cannot be read
 *   completely: a reference that was missed would let garbage collection delete an object in use.
 */
export function collectObjects(image: Buffer, algorithm: HashAlgorithm): Set<ObjectId> {
  return runSteps(collectObjectSteps(image, algorithm));
}

/** {@link collectObjects}. */
export function* collectObjectSteps(image: Buffer, algorithm: HashAlgorithm): Steps<Set<ObjectId>> {
  const erofs = ErofsImage.open(image).restrictToComposefs();
  yield* fsckMetadataSteps(erofs);
  const objects = new Set<ObjectId>();
  let last: ObjectId | undefined;
  const add = (xattr: Xattr): void => {
    // A file names its object twice.
    if (last !== undefined && xattr.isTrusted(REDIRECT_SUFFIX) && xattr.valueBytes === `/${objectPathname(last)}`)
      return;
    const id = objectOf(xattr, algorithm);
    if (id === undefined) return;
    objects.add(id);
    last = id;
  };
  const sharedSeen = new Set<number>();
  yield* walkInodeSteps(
    erofs,
    {
      inode: (inode) => {
        for (const id of inode.sharedXattrIds()) {
          if (sharedSeen.has(id)) continue;
          sharedSeen.add(id);
          add(erofs.sharedXattr(id));
        }
        for (const xattr of inode.localXattrs()) add(xattr);
      },
    },
    { isTolerant: false },
  );
  return objects;
}

function objectOf(xattr: Xattr, algorithm: HashAlgorithm): ObjectId | undefined {
  if (xattr.isTrusted(METACOPY_SUFFIX)) return decodeMetacopy(xattr.value, algorithm);
  if (xattr.isTrusted(REDIRECT_SUFFIX)) return parseRedirect(xattr, algorithm);
  return undefined;
}
