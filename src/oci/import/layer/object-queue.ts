import type { ByteString } from '../../../bytes/byte-string.js';
import type { HashAlgorithm } from '../../../composefs/fsverity/algorithm.js';
import type { ObjectId } from '../../../composefs/fsverity/object-id.js';
import type { FileState } from '../../../composefs/repository/objects/import-file.js';
import type { ObjectStoreMethod } from '../../../composefs/repository/objects/stored-object.js';

/**
 * Files up to this many bytes are handed over in one piece: who stores them then hashes and looks before anything is
 * written, and may leave that to another thread.
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

/** A file whose content is that of an object, open for reading. */
export interface SourceFile {
  readonly fd: number;
  /** As it was before its content was read. */
  readonly stat: FileState;
  /** For messages. */
  readonly name: ByteString;
}

/** The part of an object store that objects of a layer go to. */
export interface ObjectSink {
  /** @param file from which the object may be made, where it is one already. */
  storeObject(data: Buffer, file?: SourceFile): StoredContent;
  /** For objects of any size. */
  createWriter(): ContentWriter;
}

/** A store for objects that somebody has hashed. */
export interface HashedSink {
  readonly algorithm: HashAlgorithm;
  /** `id`: the digest of the data. */
  storeHashed(id: ObjectId, data: Buffer): StoredContent;
}

/** Told of a stored object, during the call that queued it or later. */
export type WhenStored = (content: StoredContent) => void;

/** The objects of one layer on their way into the repository. Callbacks come in the order in which they were queued. */
export interface ObjectQueue {
  /** Stores an object of at most {@link MAX_QUEUED_OBJECT} bytes. The caller may reuse `data` afterwards. */
  queueObject(data: Buffer, stored: WhenStored): void;
  /** Takes its turn with an object that is stored already. */
  queueStored(content: StoredContent, stored: WhenStored): void;
  createWriter(): ContentWriter;
  /** Where objects go whose digest the caller has computed; undefined where others compute it. */
  readonly hashedSink?: HashedSink;
  /** Resolves when everything queued is stored. */
  drain(): Promise<void>;
}

/** Stores every object at once, on the calling thread. */
export function directQueue(sink: ObjectSink & HashedSink): ObjectQueue {
  return {
    hashedSink: sink,
    queueObject: (data, stored) => stored(sink.storeObject(data)),
    queueStored: (content, stored) => stored(content),
    createWriter: () => sink.createWriter(),
    drain: async () => undefined,
  };
}
