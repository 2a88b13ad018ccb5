import type { Steps } from '../../../threads/turns.js';
import type { ObjectId } from '../../fsverity/object-id.js';
import type { SplitStreamReader } from '../../splitstream/reader.js';
import type { RepositoryHost } from '../objects/host.js';
import { openStreamSteps } from './open-stream.js';

/**
 * Whether what a link in `streams/` leads to can be taken for stored. A link proves little: a collection that was
 * interrupted may have deleted the objects behind it, and a power cut may have left files without their data.
 */

/** True if the splitstream is intact and every object that it lists is there. */
export function hasAllObjectsSteps(repository: RepositoryHost, id: ObjectId, contentType: bigint): Steps<boolean> {
  return checkSteps(repository, id, contentType, function* (reader) {
    const sizes = yield* repository.objects.directory.sizesOfSteps(reader.objectRefs);
    return reader.objectRefs.every((object) => sizes.has(object));
  });
}

/**
 * {@link hasAllObjectsSteps}, and the objects have together with the inline data the size of the stream, those that are no
 * part of it their own: for streams whose writer counts the sizes of objects, as those of OCI content do.
 */
export function wholeStreamSteps(repository: RepositoryHost, id: ObjectId, contentType: bigint): Steps<boolean> {
  return checkSteps(repository, id, contentType, function* (reader) {
    const sizes = yield* repository.objects.directory.sizesOfSteps(reader.objectRefs);
    if (!reader.objectRefs.every((object) => sizes.has(object))) return false;
    const { inlineSize, uses } = yield* reader.tallySteps();
    let total = inlineSize;
    for (const [index, object] of reader.objectRefs.entries()) total += (uses[index] ?? 0) * (sizes.get(object) ?? 0);
    return total === reader.totalSize && reader.detachedRefs.every(({ id, size }) => sizes.get(id) === size);
  });
}

/** False for whatever cannot be read: it is to be stored again. */
function* checkSteps(
  repository: RepositoryHost,
  id: ObjectId,
  contentType: bigint,
  check: (reader: SplitStreamReader) => Steps<boolean>,
): Steps<boolean> {
  try {
    const reader = yield* openStreamSteps(repository, id, { id, contentType });
    try {
      return yield* check(reader);
    } finally {
      reader.close();
    }
  } catch {
    return false;
  }
}
