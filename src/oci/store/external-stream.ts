import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { storeStream } from '../../composefs/repository/names/streams.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { loadZstdEncode, type ZstdEncode } from '../../compression/zstd/encode.js';
import { ComposefsError } from '../../errors.js';

/**
 * Streams that hold raw bytes as exactly one external object: manifests, configs and blobs (spec 40 §1.3).
 * The bytes are an object of their own whatever their size, so that they can be signed or mounted by themselves.
 */
export interface ExternalStream {
  readonly data: Buffer;
  readonly namedRefs: ReadonlyMap<string, ObjectId>;
}

/**
 * Reads a stream by name, or by `verity` where its object is known.
 *
 * @throws ComposefsError `INVALID_STREAM` unless it has exactly one external object.
 */
export function readExternalStream(
  repo: ReadableRepository,
  identifier: string,
  contentType: bigint,
  verity?: ObjectId,
): ExternalStream {
  const reader = repo.openStream(identifier, { id: verity, contentType });
  try {
    const [id, ...others] = reader.objectRefs;
    if (id === undefined || others.length > 0) {
      throw new ComposefsError(
        'INVALID_STREAM',
        `Expected exactly 1 external object in splitstream, got ${reader.objectRefs.length}`,
      );
    }
    return { data: repo.objects.readObject(id), namedRefs: reader.namedRefs() };
  } finally {
    reader.close();
  }
}

/**
 * Stores `data` and a stream around it, registers that as `identifier` and points `ref` at it.
 * The order of `namedRefs` is part of the stream's bytes (spec 40 §3.1).
 */
export async function writeExternalStream(
  repo: Repository,
  identifier: string,
  contentType: bigint,
  data: Buffer,
  namedRefs: Iterable<readonly [string, ObjectId]>,
  ref?: string,
): Promise<ObjectId> {
  return await repo.hold(async () => {
    const encode = await loadZstdEncode();
    const id = storeExternalStream(repo, contentType, data, namedRefs, encode);
    await repo.registerStream(id, identifier, ref);
    return id;
  });
}

/** {@link writeExternalStream} without a name. Call it inside of {@link Repository.hold}. */
export function storeExternalStream(
  repo: Repository,
  contentType: bigint,
  data: Buffer,
  namedRefs: Iterable<readonly [string, ObjectId]>,
  encode: ZstdEncode,
): ObjectId {
  const writer = repo.createStream(contentType);
  for (const [name, id] of namedRefs) writer.addNamedStreamRef(name, id);
  const object = repo.objects.ensureIntact(() => repo.objects.storeObject(data));
  writer.addExternalSize(data.length);
  writer.writeReference(object);
  const file = writer.finish(encode);
  try {
    return storeStream(repo, file);
  } finally {
    file.dispose();
  }
}
