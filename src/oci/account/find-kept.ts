import { digestSize } from '../../composefs/fsverity/algorithm.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { objectIdFromPathname, parseObjectId } from '../../composefs/fsverity/object-id.js';
import { followLinks } from '../../composefs/repository/directory/follow-links.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError } from '../../errors.js';
import { MIN_DIGITS, wholeDigest } from '../store/digest-text.js';
import { OciImageNotFound, OciRefNotFound } from '../store/errors.js';
import { resolveImage } from '../store/find-image.js';
import { findStream } from '../store/find-stream.js';
import { manifestIdentifier } from '../store/identifiers.js';
import { hasManifest } from '../store/manifest-stream.js';

/** What a text names in a repository, as far as it can be kept alive. */
export interface KeptThing {
  readonly kind: 'object' | 'stream' | 'image';
  /** Of an object its id; of a stream or image the name of its entry, or the path of a reference. */
  readonly name: string;
  readonly id: ObjectId;
}

/**
 * What a text names:
 *
 * - a path in the repository: `objects/…`, `streams/…`, `images/…`; or `refs/…` of a stream;
 * - the name of a stream, such as `oci-layer-sha256:…`, or the `sha256:…` of a layer, blob, config or manifest, also its
 *   first 8 or more digits;
 * - an object by its id, or the first 8 or more digits of it;
 * - an OCI image, as every verb names it.
 *
 * @throws ComposefsError `NOT_FOUND`, `AMBIGUOUS_OBJECT`, `AMBIGUOUS_STREAM`, what `findImage` throws
 */
export async function findKept(repo: ReadableRepository, text: string): Promise<KeptThing> {
  const found =
    findByPath(repo, text) ??
    findByName(repo, text) ??
    (text.includes(':') ? findByDigest(repo, text) : undefined) ??
    findObject(repo, text);
  if (found !== undefined) return found;
  try {
    const { digest } = await resolveImage(repo, text);
    const id = hasManifest(repo, digest);
    if (id === undefined) throw new OciImageNotFound(digest);
    return { kind: 'stream', name: manifestIdentifier(digest), id };
  } catch (error) {
    // A tag that leads to nothing is no unknown name.
    const isUnknown = error instanceof OciImageNotFound && error.digest === wholeDigest(text);
    if (!isUnknown && !(error instanceof OciRefNotFound)) throw error;
    const stream = findByDigest(repo, text);
    if (stream === undefined) throw notFound(`${kindsOf(text)} ${text}`);
    return stream;
  }
}

function findByPath(repo: ReadableRepository, text: string): KeptThing | undefined {
  const [top, ...rest] = text.split('/');
  if (top === 'objects') {
    const id = rest.length === 2 ? findObject(repo, rest.join('')) : undefined;
    if (id === undefined) throw notFound(text);
    return id;
  }
  const path = top === 'refs' ? `streams/${text}` : text;
  if (!/^(?:streams|images)\/[^/]/.test(path)) return undefined;
  const id = targetOf(repo, path);
  if (id === undefined) throw notFound(text);
  const [category = ''] = path.split('/');
  return { kind: category === 'images' ? 'image' : 'stream', name: path.slice(category.length + 1), id };
}

function findByName(repo: ReadableRepository, text: string): KeptThing | undefined {
  if (text.includes('/') || !isStreamName(text)) return undefined;
  const id = repo.hasStream(text);
  return id === undefined ? undefined : { kind: 'stream', name: text, id };
}

function findByDigest(repo: ReadableRepository, text: string): KeptThing | undefined {
  const name = findStream(repo, text);
  const id = name === undefined ? undefined : repo.hasStream(name);
  return name === undefined || id === undefined ? undefined : { kind: 'stream', name, id };
}

function isStreamName(name: string): boolean {
  return Buffer.byteLength(name) <= 255 && !/[\0\p{Surrogate}]/u.test(name);
}

/** Undefined if the text is no object id, or there is no such object. */
function findObject(repo: ReadableRepository, text: string): KeptThing | undefined {
  const length = 2 * digestSize(repo.algorithm);
  if (!/^[0-9a-f]+$/.test(text) || text.length < MIN_DIGITS || text.length > length) return undefined;
  if (text.length === length) {
    const id = parseObjectId(repo.algorithm, text);
    return repo.objects.has(id) ? { kind: 'object', name: id, id } : undefined;
  }
  const rest = text.slice(2);
  const names = (repo.root.list(`objects/${text.slice(0, 2)}`) ?? []).filter(({ name }) => name.startsWith(rest));
  const [first, second] = names.map(({ name }) => text.slice(0, 2) + name).filter((name) => name.length === length);
  if (first === undefined) return undefined;
  if (second !== undefined) {
    const message = `${text} is the beginning of several objects: ${first}, ${second}${names.length > 2 ? ', …' : ''}`;
    throw new ComposefsError('AMBIGUOUS_OBJECT', message, { hint: 'give more digits' });
  }
  const id = parseObjectId(repo.algorithm, first);
  return { kind: 'object', name: id, id };
}

/** The object that an entry or a reference leads to. */
function targetOf(repo: ReadableRepository, path: string): ObjectId | undefined {
  if (/[\0\p{Surrogate}]/u.test(path) || path.split('/').some((part) => ['', '.', '..'].includes(part)))
    return undefined;
  const target = followLinks(repo.root, path)?.toString('latin1');
  if (target === undefined || !target.startsWith('objects/')) return undefined;
  return objectIdFromPathname(repo.algorithm, target);
}

/** What a text could have named. */
function kindsOf(text: string): string {
  if (/^@|^sha\d+:/.test(text)) return 'image, config, layer or blob';
  return /^[0-9a-f]{8,}$/.test(text) ? 'object, image or layer' : 'image, stream or object';
}

function notFound(text: string): ComposefsError {
  const hint = 'name an object, a stream or an image: `cfsctl oci images` lists the tags';
  return new ComposefsError('NOT_FOUND', `there is no ${text} in the repository`, { hint });
}
