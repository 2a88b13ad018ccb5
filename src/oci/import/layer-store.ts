import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ObjectStoreMethod } from '../../composefs/repository/objects/stored-object.js';

/**
 * Files up to this many bytes are handed over in one piece: the store then hashes and looks before it writes, and may
 * leave that to another thread.
 */
export const MAX_QUEUED_OBJECT: number = 8 * 1048576;

export interface StoredContent {
  readonly id: ObjectId;
  readonly method: ObjectStoreMethod;
}

export interface ContentWriter {
  write(chunk: Buffer): void;
  /** Any number of zeros, at little cost. */
  writeZeros(length: number): void;
  finish(): StoredContent;
  abort(): void;
}

/** Told of a stored object, during the call that queued it or a later one. */
export type WhenStored = (content: StoredContent) => void;

/** What storing a layer needs. Callbacks come in the order in which the objects were queued. */
export interface LayerStore {
  /** Stores an object of at most {@link MAX_QUEUED_OBJECT} bytes. The caller may reuse `data` afterwards. */
  queueObject(data: Buffer, stored: WhenStored): void;
  /** Takes its turn with an object that is stored already. */
  queueStored(content: StoredContent, stored: WhenStored): void;
  /** Returns when everything queued is stored. */
  drain(): void;
  /** No more objects come. */
  close(): void;
  /** For objects of any size. */
  createWriter(): ContentWriter;
}

/** The part of an object store that a {@link LayerStore} is made of. */
export interface DirectStore {
  storeObject(data: Buffer): StoredContent;
  createWriter(): ContentWriter;
}

/** Stores every object at once, on the calling thread. */
export function directLayerStore(store: DirectStore): LayerStore {
  return {
    queueObject: (data, stored) => stored(store.storeObject(data)),
    queueStored: (content, stored) => stored(content),
    drain: () => undefined,
    close: () => undefined,
    createWriter: () => store.createWriter(),
  };
}
