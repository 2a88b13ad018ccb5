import { Turns } from '../../threads/turns.js';
import { writeErofsPieces } from '../erofs/in-turns.js';
import type { FormatVersion } from '../erofs/index.js';
import type { TakePiece } from '../erofs/writer/piece-writer.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { FsVerityHasher } from '../fsverity/hasher.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Directory } from '../tree/inode.js';
import type { RepositoryHost } from './objects/host.js';
import type { ObjectStore } from './objects/object-store.js';
import type { StoredObject } from './objects/stored-object.js';

/** What is hashed or written before others get their turn. */
const PIECE_SIZE = 256 * 1024;

/** How images of a tree are made. */
export interface CommitOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Makes the images of a tree and stores them, which have no names then (spec 10 §13.2). */
export async function commitImages(
  { objects }: RepositoryHost,
  root: Directory,
  versions: readonly FormatVersion[],
  { signal }: CommitOptions,
): Promise<Map<FormatVersion, ObjectId>> {
  const { algorithm } = objects;
  const images = new Map<FormatVersion, ObjectId>();
  for (const version of versions) {
    const write = (take: TakePiece): Promise<void> => writeErofsPieces(root, { version, algorithm, signal }, take);
    images.set(version, await storeIntact(objects, write));
  }
  return images;
}

/** Stores the bytes of an image, which are not checked: the caller vouches for them. It is not listed then. */
export async function storeImage(
  { objects }: Pick<RepositoryHost, 'objects'>,
  image: Uint8Array,
  { signal }: CommitOptions,
): Promise<ObjectId> {
  return await storeIntact(objects, async (take) => {
    for await (const piece of piecesInTurns(image, signal)) take(piece);
  });
}

/** @param write hands out the pieces of the image; called again to replace a damaged one. */
async function storeIntact(objects: ObjectStore, write: (take: TakePiece) => Promise<void>): Promise<ObjectId> {
  const store = async (): Promise<StoredObject> => {
    const writer = objects.createWriter();
    try {
      await write((piece) => writer.write(piece));
      return writer.finish();
    } finally {
      writer.abort();
    }
  };
  const stored = await store();
  return objects.isIntactOrRemoved(stored) ? stored.id : (await store()).id;
}

/** The id that the image of a tree would have; nothing is stored. */
export async function computeImageId(
  root: Directory,
  version: FormatVersion,
  algorithm: HashAlgorithm,
  { signal }: CommitOptions = {},
): Promise<ObjectId> {
  const hasher = new FsVerityHasher(algorithm);
  await writeErofsPieces(root, { version, algorithm, signal }, (piece) => hasher.update(piece));
  return hasher.digest();
}

async function* piecesInTurns(data: Uint8Array, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const turns = new Turns(signal);
  for (let offset = 0; offset < data.length; offset += PIECE_SIZE) {
    yield data.subarray(offset, offset + PIECE_SIZE);
    if (turns.isOver()) await turns.next();
  }
}
