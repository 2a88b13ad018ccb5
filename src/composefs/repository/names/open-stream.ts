import { readSync } from 'node:fs';
import { ComposefsError, ContextError, withContext } from '../../../errors.js';
import { runSteps, type Steps } from '../../../threads/turns.js';
import { type ObjectId, objectIdFromPathname } from '../../fsverity/object-id.js';
import { catSplitStream } from '../../splitstream/cat.js';
import { HEADER_SIZE, isSplitStreamHeader, SplitStreamError } from '../../splitstream/format.js';
import { SplitStreamReader } from '../../splitstream/reader.js';
import { fdSource } from '../../splitstream/source.js';
import { followLinks, openLinked } from '../directory/follow-links.js';
import type { RepositoryHost } from '../objects/host.js';
import { validateContentIdentifier, validateRefName, validateStreamName } from './names.js';

/** Finding streams by name (spec 10 §12). */

export interface OpenStreamOptions {
  /** The stream's object, which is verified then; the name is for messages only. */
  readonly id?: ObjectId | undefined;
  /** What the stream has to be: fails with `Invalid splitstream content type` if it has another type. */
  readonly contentType?: bigint | undefined;
}

/** The object of a stream; undefined if there is no such stream. Whether the object exists is not checked. */
export function findStream(repository: RepositoryHost, contentIdentifier: string): ObjectId | undefined {
  const { root } = repository;
  const entry = `streams/${validateContentIdentifier(contentIdentifier)}`;
  const text = root.readLink(entry)?.toString();
  if (text === undefined) return undefined;
  const path = root.nameOf(entry);
  if (!text.startsWith('../')) {
    throw new ComposefsError('INVALID_LINK', `stream symlink has incorrect prefix: ${path} -> ${text}`);
  }
  return withContext(`Parsing the object id of ${path}`, () =>
    objectIdFromPathname(repository.objects.algorithm, text),
  );
}

/** Whether there is a reference of that name, dangling or not. */
export function hasNamedStream(repository: RepositoryHost, ref: string): boolean {
  return repository.root.lstat(`streams/refs/${validateRefName(ref)}`)?.isSymbolicLink() ?? false;
}

/**
 * Opens a stream by its object without asking whether its content is what its name says: for the garbage collector,
 * which has to keep what a damaged stream names.
 */
export function openUnverifiedStream({ objects }: RepositoryHost, name: string, id: ObjectId): SplitStreamReader {
  return withContext(`Opening stream '${name}'`, () => {
    const fd = objects.openUnverified(id);
    if (fd === undefined) throw new ComposefsError('ENOENT', `there is no object ${objects.path(id)}`);
    return SplitStreamReader.open(fdSource(fd), objects.algorithm);
  });
}

/**
 * Opens a stream by its object, which is verified, by the kernel or else by hashing it; or without `id` by its name, which is not.
 *
 * @param name a content identifier or `refs/<name>`; for messages only where `id` is given.
 * @returns a reader that the caller closes.
 */
export function openStream(
  repository: RepositoryHost,
  name: string,
  options: OpenStreamOptions = {},
): SplitStreamReader {
  return runSteps(openStreamSteps(repository, name, options));
}

/** {@link openStream}. */
export function* openStreamSteps(
  repository: RepositoryHost,
  name: string,
  { id, contentType }: OpenStreamOptions = {},
): Steps<SplitStreamReader> {
  const { objects } = repository;
  try {
    const fd = id === undefined ? openByName(repository, name) : yield* objects.openIntactSteps(id, requireSplitStream);
    // The reader owns the descriptor, also if it cannot be opened.
    return SplitStreamReader.open(fdSource(fd), objects.algorithm, { contentType });
  } catch (cause) {
    throw new ContextError(`Opening stream '${name}'`, cause);
  }
}

/** Whether an open file begins as a splitstream does. */
export function isSplitStreamFile(fd: number): boolean {
  const header = Buffer.alloc(HEADER_SIZE);
  return isSplitStreamHeader(header.subarray(0, readSync(fd, header, 0, header.length, 0)));
}

/** Of a file of any size that is none, nothing else is read. */
function requireSplitStream(fd: number): void {
  if (!isSplitStreamFile(fd)) throw new SplitStreamError('Invalid splitstream header magic value');
}

/**
 * The reconstructed content of a stream (spec 30 §4.3 `cat`).
 *
 * @throws ComposefsError `DIGEST_MISMATCH` if the stream, or an object after its last byte, turns out to be damaged.
 */
export function* catStream(
  repository: RepositoryHost,
  name: string,
  { id, contentType }: OpenStreamOptions = {},
): Generator<Buffer> {
  const object = id ?? withContext(`Opening stream '${name}'`, () => resolveStream(repository, name));
  const reader = openStream(repository, name, { id: object, contentType });
  try {
    yield* catSplitStream(reader, (part) => repository.objects.readIntactChunks(part));
  } finally {
    reader.close();
  }
}

/** The object that a stream's name leads to, over a reference or not; undefined if it leads nowhere. */
function resolveStream({ root, objects }: RepositoryHost, name: string): ObjectId | undefined {
  const target = followLinks(root, `streams/${validateStreamName(name)}`)?.toString('latin1');
  return target === undefined ? undefined : objectIdFromPathname(objects.algorithm, target);
}

function openByName({ root }: RepositoryHost, name: string): number {
  return openLinked(root, `streams/${validateStreamName(name)}`);
}
