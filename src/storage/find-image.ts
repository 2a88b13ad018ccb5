import type { ImageRecord } from './records.js';
import type { ContainerStore } from './store.js';
import { StoreError } from './store-error.js';

/** An image in one of the stores. */
export interface FoundImage {
  readonly store: ContainerStore;
  readonly record: ImageRecord;
  /** The digest of the manifest that the reference asks for, as text; undefined if it names none. */
  readonly manifestDigest: string | undefined;
}

/** The complete names, without tags, that a name without a registry may stand for, the first one first. */
export type ShortNames = (name: string) => readonly string[];

/** Fewer digits are no shortened id, as for containers/image. */
const SHORTEST_ID = 3;
const ID = /^[0-9a-f]{64}$/;
const DIGEST = /^[a-z0-9]+:[0-9a-f]{32,}$/;

/**
 * Finds an image by what podman takes for one: its id, with `sha256:` or `@` before it; a name as the store has it; the
 * beginning of an id; a short name, which is looked for as `localhost/NAME`, as what `shortNames` says, on docker.io, and
 * at last as the end of any name. Without tag or digest `latest` is meant. A digest is that of a manifest.
 *
 * All stores are searched in one way before the next way is tried.
 *
 * @throws StoreError `IMAGE_NOT_IN_STORE`, `AMBIGUOUS_IMAGE`; `INVALID_STORE` if a document of a store is none.
 */
export function findImage(
  stores: readonly ContainerStore[],
  wanted: string,
  shortNames: ShortNames = () => [],
): FoundImage {
  const images = stores.flatMap((store) => store.images().map((record) => ({ store, record })));
  const { name, digest } = splitDigest(wanted);
  const found =
    name === ''
      ? byIdOrDigest(images, digest ?? wanted)
      : digest === undefined
        ? byName(images, wanted, shortNames)
        : byDigest(images, wanted, name, digest, shortNames);
  if (found === undefined) {
    throw new StoreError('IMAGE_NOT_IN_STORE', `Failed to find image ${wanted} in any storage`, {
      hint: `looked into ${stores.map(({ root }) => root).join(', ')}: ${listed(images)}`,
    });
  }
  return { ...found, manifestDigest: digest !== undefined && !isIdOf(found.record, digest) ? digest : undefined };
}

type Candidate = Omit<FoundImage, 'manifestDigest'>;

/** How many names a hint has. */
const MAX_LISTED = 5;

function listed(images: readonly Candidate[]): string {
  const names = images.flatMap(({ record }) => record.names);
  if (names.length === 0) return 'no image there has a name';
  const more = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : '';
  return `there are ${names.slice(0, MAX_LISTED).join(', ')}${more}`;
}

function byIdOrDigest(images: readonly Candidate[], digest: string): Candidate | undefined {
  return (
    images.find(({ record }) => isIdOf(record, digest)) ??
    images.find(({ record }) => hasManifest(record, digest)) ??
    byShortenedId(images, digest)
  );
}

function byName(images: readonly Candidate[], wanted: string, shortNames: ShortNames): Candidate | undefined {
  const name = withTag(wanted);
  const matches = (test: (own: string) => boolean): Candidate | undefined =>
    images.find(({ record }) => record.names.some(test));
  return (
    images.find(({ record }) => isIdOf(record, wanted)) ??
    matches((own) => own === wanted || own === name) ??
    byShortenedId(images, wanted) ??
    firstOf(completeNames(wanted, shortNames), (complete) => matches((own) => own === withTag(complete))) ??
    matches((own) => endsWith(own, wanted)) ??
    matches((own) => endsWith(own, name))
  );
}

/** An image with that manifest of which any name is of the wanted repository, whatever its tag. */
function byDigest(
  images: readonly Candidate[],
  wanted: string,
  name: string,
  digest: string,
  shortNames: ShortNames,
): Candidate | undefined {
  const repository = withoutTag(name);
  const complete = [repository, ...completeNames(repository, shortNames)];
  const isNamed = ({ names }: ImageRecord): boolean =>
    names.some((own) => complete.includes(repositoryOf(own)) || endsWith(repositoryOf(own), repository));
  return (
    images.find(({ record }) => record.names.includes(wanted)) ??
    images.find(({ record }) => (hasManifest(record, digest) || isIdOf(record, digest)) && isNamed(record))
  );
}

function byShortenedId(images: readonly Candidate[], text: string): Candidate | undefined {
  const start = text.replace(/^sha256:/, '');
  if (start.length < SHORTEST_ID || !/^[0-9a-f]+$/.test(start)) return undefined;
  const [first, ...others] = images.filter(({ record }) => record.id.startsWith(start));
  if (others.some(({ record }) => record.id !== first?.record.id)) {
    throw new StoreError('AMBIGUOUS_IMAGE', `several images have an id that begins with ${start}`, {
      hint: 'give more of its digits',
    });
  }
  return first;
}

/** `NAME@DIGEST`, `@ID`, or a digest alone, whose name is empty. An id is a digest without its algorithm. */
function splitDigest(wanted: string): { name: string; digest: string | undefined } {
  const at = wanted.indexOf('@');
  if (at >= 0) return { name: wanted.slice(0, at), digest: wanted.slice(at + 1) };
  return DIGEST.test(wanted) ? { name: '', digest: wanted } : { name: wanted, digest: undefined };
}

function completeNames(name: string, shortNames: ShortNames): string[] {
  const [first = '', ...rest] = name.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  if (hasHost) return first === 'docker.io' && rest.length === 1 ? [`docker.io/library/${rest[0]}`] : [];
  const onHub = rest.length === 0 ? `docker.io/library/${name}` : `docker.io/${name}`;
  return [`localhost/${name}`, ...shortNames(withoutTag(name)).map((complete) => complete + tagOf(name)), onHub];
}

function isIdOf({ id }: ImageRecord, text: string): boolean {
  return id === text || (text.startsWith('sha256:') && ID.test(id) && text === `sha256:${id}`);
}

function hasManifest({ digest, bigDataNames }: ImageRecord, wanted: string): boolean {
  return digest === wanted || bigDataNames.includes(`manifest-${wanted}`);
}

function endsWith(own: string, end: string): boolean {
  return own.endsWith(end) && (own.length === end.length || own.at(-end.length - 1) === '/');
}

/** `:TAG`, or nothing. */
function tagOf(name: string): string {
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  return colon < 0 ? '' : name.slice(colon);
}

function withTag(name: string): string {
  return tagOf(name) === '' ? `${name}:latest` : name;
}

function withoutTag(name: string): string {
  const tag = tagOf(name);
  return tag === '' ? name : name.slice(0, -tag.length);
}

function repositoryOf(name: string): string {
  return withoutTag(name.replace(/@.*$/s, ''));
}

function firstOf<T, R>(items: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
