import { runSteps, type Steps } from '../../../threads/turns.js';
import { digestSize, type HashAlgorithm } from '../../fsverity/algorithm.js';
import { ObjectIdTable } from '../../fsverity/id-table.js';
import { type ObjectId, objectPathname } from '../../fsverity/object-id.js';
import { isMetacopy, METACOPY_HEADER_SIZE } from '../format/metacopy.js';
import { XATTR_INDEX_TRUSTED } from '../format/xattr-area.js';
import { fsckMetadataSteps, versionRules } from './fsck-metadata.js';
import { ErofsImage } from './image.js';
import type { ErofsInode } from './inode.js';
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
  return new Set(runSteps(collectObjectSteps(image, algorithm)));
}

/** {@link collectObjects}, which may be a million. */
export function* collectObjectSteps(image: Buffer, algorithm: HashAlgorithm): Steps<ObjectIdTable> {
  const erofs = ErofsImage.open(image).restrictToComposefs();
  try {
    const rules = versionRules(erofs);
    const collector = new ObjectCollector(erofs, algorithm);
    const inode = (each: ErofsInode): void => {
      rules?.inode(each);
      collector.add(each);
    };
    const entry = rules?.entry?.bind(rules);
    yield* walkInodeSteps(erofs, { inode, ...(entry !== undefined && { entry }) }, { isTolerant: false });
    rules?.finish?.();
    return collector.objects;
  } catch (error) {
    // What breaks a rule of the version is told before what cannot be read, wherever the two are.
    yield* fsckMetadataSteps(erofs);
    throw error;
  }
}

class ObjectCollector {
  readonly objects: ObjectIdTable;
  readonly #image: ErofsImage;
  readonly #algorithm: HashAlgorithm;
  readonly #digestSize: number;
  readonly #sharedSeen = new Set<number>();
  /** A file names its object twice: the path of the one before. */
  #lastPath: string | undefined;

  constructor(image: ErofsImage, algorithm: HashAlgorithm) {
    this.#image = image;
    this.#algorithm = algorithm;
    this.#digestSize = digestSize(algorithm);
    this.objects = new ObjectIdTable(this.#digestSize);
  }

  /** The objects that the xattrs of an inode name. @throws ErofsReaderError */
  add(inode: ErofsInode): void {
    for (const id of inode.sharedXattrIds()) {
      if (this.#sharedSeen.has(id)) continue;
      this.#sharedSeen.add(id);
      this.#addXattr(this.#image.sharedXattr(id));
    }
    for (let xattr = inode.nextLocalXattr(); xattr !== undefined; xattr = inode.nextLocalXattr(xattr)) {
      this.#addXattr(xattr);
    }
  }

  #addXattr(xattr: Xattr): void {
    if (xattr.index !== XATTR_INDEX_TRUSTED) return;
    const { suffix } = xattr;
    if (suffix === METACOPY_SUFFIX) this.#addMetacopy(xattr);
    else if (suffix === REDIRECT_SUFFIX) this.#addRedirect(xattr);
  }

  #addMetacopy({ valueStart, valueSize }: Xattr): void {
    if (!isMetacopy(this.#image.view, valueStart, valueSize, this.#algorithm)) return;
    const index = this.objects.addBytes(this.#image.bytes, valueStart + METACOPY_HEADER_SIZE);
    this.#lastPath = `/${objectPathname(this.objects.at(index))}`;
  }

  #addRedirect(xattr: Xattr): void {
    if (xattr.valueBytes === this.#lastPath) return;
    const id = parseRedirect(xattr, this.#algorithm);
    if (id !== undefined) this.objects.add(id);
  }
}
