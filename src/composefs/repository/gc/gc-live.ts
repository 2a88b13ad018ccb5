import { ContextError } from '../../../errors.js';
import { withFd } from '../../../fs/files.js';
import type { Steps } from '../../../threads/turns.js';
import { digestSize } from '../../fsverity/algorithm.js';
import { ObjectIdTable } from '../../fsverity/id-table.js';
import type { ObjectId } from '../../fsverity/object-id.js';
import type { Category } from '../names/category.js';
import { objectsForImage } from '../names/images.js';
import { isSplitStreamFile, openUnverifiedStream } from '../names/open-stream.js';
import type { RepositoryHost } from '../objects/host.js';
import { type CollectedCategory, collectCategorySteps } from './gc-roots.js';

/** What must stay, as found before anything is deleted. */
export interface LiveSet {
  readonly objects: ObjectIdTable;
  readonly categories: Readonly<Record<Category, CollectedCategory>>;
}

/**
 * Every object that must stay: what references and `additionalRoots` reach (spec 10 §17.1, §17.2, §17.3 steps 1 to 4).
 *
 * Anything that cannot be read is an error. To go on would be to delete what it needs. Only where an object is gone
 * altogether there is nothing to read any more.
 *
 * @param additionalRoots names of entries in `images/` or `streams/`; unknown ones are ignored.
 */
export function* findLiveSteps(repository: RepositoryHost, additionalRoots: readonly string[]): Steps<LiveSet> {
  const objects = new ObjectIdTable(digestSize(repository.objects.algorithm));
  const images = yield* collectCategorySteps(repository, 'images', new Set(additionalRoots));
  const streams = yield* collectCategorySteps(repository, 'streams', new Set(additionalRoots));
  yield* markImages(repository, images, objects);
  yield* markStreams(repository, streams, objects);
  return { objects, categories: { images, streams } };
}

function* markImages(
  repository: RepositoryHost,
  { entries, roots, refs }: CollectedCategory,
  live: ObjectIdTable,
): Steps<void> {
  for (const name of roots) {
    const id = entries.get(name);
    if (id === undefined || !repository.objects.has(id)) continue;
    live.add(id);
    const remedy = (): string => {
      const links = [...refs.filter((each) => each.name === name).map(({ ref }) => ref), `images/${name}`];
      return `store the image again, or remove ${links.join(' and ')}, and collect then`;
    };
    live.addAll(needed(() => objectsForImage(repository, name), remedy).toBytes());
    yield;
  }
}

/**
 * Streams name other streams and images by id: a graph, maybe with cycles, of any depth. A name is followed whether or
 * not the stream has an entry: a manifest keeps the stream of its config also after that got another stream. The
 * reference follows only those that have one, so this keeps all that it keeps (spec 10 §17.3 step 4).
 */
function* markStreams(
  repository: RepositoryHost,
  { entries, roots }: CollectedCategory,
  live: ObjectIdTable,
): Steps<void> {
  const names = new Map<ObjectId, string>();
  for (const [name, id] of entries) names.set(id, name);

  const reached = new Set<ObjectId>();
  const pending: ObjectId[] = [];
  const reach = (id: ObjectId): void => {
    live.add(id);
    if (reached.has(id)) return;
    reached.add(id);
    if (names.has(id) || isSplitStream(repository, id)) pending.push(id);
  };
  for (const name of roots) {
    const id = entries.get(name);
    if (id !== undefined) reach(id);
  }
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (!repository.objects.has(id)) continue;
    const name = names.get(id) ?? id;
    const { objectBytes, named } = needed(
      () => readStreamLinks(repository, name, id),
      () => STREAM_REMEDY,
    );
    live.addAll(objectBytes);
    for (const object of named.values()) reach(object);
    yield;
  }
}

const STREAM_REMEDY =
  'pull the image again, which stores it anew, or remove its tag, and collect then: `cfsctl oci fsck` names the images';

/** What `find` finds out, without which nothing may be deleted. */
function needed<T>(find: () => T, remedy: () => string): T {
  try {
    return find();
  } catch (cause) {
    throw new ContextError('Finding out what is still needed', cause, remedy());
  }
}

/** What a splitstream leads to. */
export interface StreamLinks {
  readonly contentType: bigint;
  /** Digests of objects, one after the other. */
  readonly objectBytes: Buffer;
  /** Streams and images. */
  readonly named: ReadonlyMap<string, ObjectId>;
}

/** @param name for messages. */
export function readStreamLinks(repository: RepositoryHost, name: string, id: ObjectId): StreamLinks {
  const reader = openUnverifiedStream(repository, name, id);
  try {
    return { contentType: reader.contentType, objectBytes: reader.objectRefBytes, named: reader.namedRefs() };
  } finally {
    reader.close();
  }
}

/** False for images, which are named like streams, and where there is no such object. */
export function isSplitStream(repository: RepositoryHost, id: ObjectId): boolean {
  const fd = repository.objects.openUnverified(id);
  if (fd === undefined) return false;
  return withFd(fd, isSplitStreamFile);
}
