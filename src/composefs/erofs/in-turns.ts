import { runInTurns } from '../../threads/turns.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Directory } from '../tree/inode.js';
import { collectObjectSteps } from './reader/collect-objects.js';
import { erofsTreeSteps } from './reader/read-tree.js';
import type { ErofsOptions } from './writer/options.js';
import type { TakePiece } from './writer/piece-writer.js';
import { erofsPieceSteps, erofsSteps } from './writer/write.js';

/** What the faces have of images: large ones take a second, in which others have their turns. */

/**
 * The tree that an image was made of (spec 20 §10). What overlayfs and the writer added is taken away: stubs, redirects
 * and metacopies, whiteout markers, escapes.
 *
 * @throws ErofsReaderError, with the directories that lead to the place as context, if the image is not a composefs
 *   image, inconsistent, or made to exhaust its reader.
 */
export async function readErofsTree(
  image: Buffer,
  algorithm: HashAlgorithm,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Directory> {
  return await runInTurns(erofsTreeSteps(image, algorithm), options.signal);
}

/**
 * The objects that an image refers to (spec 20 §11): by digest and by path, normally the same.
 *
 * @throws ErofsReaderError if the image is not a composefs image, breaks the rules of its version, or cannot be read
 *   completely.
 */
export async function collectObjects(
  image: Buffer,
  algorithm: HashAlgorithm,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Set<ObjectId>> {
  return new Set(await runInTurns(collectObjectSteps(image, algorithm), options.signal));
}

/**
 * The composefs image of a tree (spec 20 §3 to §6): a pure function of tree, version and digest algorithm, which does
 * not change the tree; nothing else may, meanwhile.
 *
 * @throws InvalidTreeError if the tree cannot be written.
 */
export async function writeErofs(
  root: Directory,
  options: ErofsOptions & { readonly signal?: AbortSignal | undefined },
): Promise<Buffer> {
  return await runInTurns(erofsSteps(root, options), options.signal);
}

/**
 * {@link writeErofs} in pieces: the image as a whole, which may be larger than its tree, is never in memory.
 *
 * @param take takes each piece, in order, and does not keep it.
 */
export async function writeErofsPieces(
  root: Directory,
  options: ErofsOptions & { readonly signal?: AbortSignal | undefined },
  take: TakePiece,
): Promise<void> {
  await runInTurns(
    erofsPieceSteps(root, options, () => take),
    options.signal,
  );
}
