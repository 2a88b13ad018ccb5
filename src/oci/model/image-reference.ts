import { ComposefsError } from '../../errors.js';

/** Where an image comes from, by the names of containers/image (spec 40 §4.3); the last ones only skopeo knows. */
export type Transport =
  | 'registry'
  | 'oci'
  | 'oci-archive'
  | 'docker-archive'
  | 'containers-storage'
  | 'dir'
  | 'docker-daemon'
  | 'atomic'
  | 'ostree'
  | 'sif'
  | 'tarball';

export interface ImageReference {
  readonly transport: Transport;
  /** The text after the transport, which gives it its meaning. Never empty. */
  readonly name: string;
}

const PREFIXES: ReadonlyMap<string, Transport> = new Map([
  ['docker', 'registry'],
  ['registry', 'registry'],
  ['oci', 'oci'],
  ['oci-archive', 'oci-archive'],
  ['docker-archive', 'docker-archive'],
  ['containers-storage', 'containers-storage'],
  ['dir', 'dir'],
  ['docker-daemon', 'docker-daemon'],
  ['atomic', 'atomic'],
  ['ostree', 'ostree'],
  ['sif', 'sif'],
  ['tarball', 'tarball'],
]);

/** Code `INVALID_IMAGE_REFERENCE`. */
export class ImageReferenceError extends ComposefsError {
  constructor(message: string, hint?: string) {
    super('INVALID_IMAGE_REFERENCE', message, hint === undefined ? {} : { hint });
  }
}

/**
 * Parses `transport:name`; `docker` needs `//` after the colon.
 *
 * @throws ImageReferenceError with the texts of the specification.
 */
export function parseImageReference(text: string): ImageReference {
  const colon = text.indexOf(':');
  if (colon < 0) throw new ImageReferenceError(`Missing ':' in ${text}`, TRANSPORT_HINT);
  const prefix = text.slice(0, colon);
  const transport = PREFIXES.get(prefix);
  if (transport === undefined) throw new ImageReferenceError(`Invalid transport: ${prefix}`, TRANSPORT_HINT);
  let name = text.slice(colon + 1);
  if (prefix === 'docker') {
    if (!name.startsWith('//')) {
      throw new ImageReferenceError(
        `Missing // in docker:// in ${text}`,
        'An image in a registry is docker://HOST[:PORT]/NAME[:TAG].',
      );
    }
    name = name.slice(2);
  }
  if (name === '') throw new ImageReferenceError(`Invalid empty name in ${text}`);
  return { transport, name };
}

const TRANSPORT_HINT =
  'Name the transport of the image: docker://HOST/NAME:TAG, oci:DIRECTORY:TAG, oci-archive:FILE, docker-archive:FILE, ' +
  'dir:DIRECTORY, containers-storage:NAME; with skopeo also docker-daemon:NAME:TAG and sif:FILE.';

/** The text form, as skopeo takes it. */
export function formatImageReference(reference: ImageReference): string {
  return reference.transport === 'registry' ? `docker://${reference.name}` : `${reference.transport}:${reference.name}`;
}

export interface LayoutReference {
  readonly path: string;
  readonly tag?: string;
}

/** `path[:tag]` of an OCI layout: split at the last `:` unless a `/` follows it (spec 40 §4.5). */
export function parseOciLayoutRef(name: string): LayoutReference {
  const colon = name.lastIndexOf(':');
  if (colon < 0 || name.includes('/', colon)) return { path: name };
  return { path: name.slice(0, colon), tag: name.slice(colon + 1) };
}

/**
 * `path[:tag]` of an archive: split at the first `:`, as containers/image does. The tags that podman writes into
 * archives hold `/` and `:` themselves: `oci-archive:image.tar:docker.io/library/busybox:latest`.
 */
export function parseArchiveRef(name: string): LayoutReference {
  const colon = name.indexOf(':');
  return colon < 0 ? { path: name } : { path: name.slice(0, colon), tag: name.slice(colon + 1) };
}

export interface DockerArchiveReference extends LayoutReference {
  /** Position in the archive's `manifest.json`. */
  readonly index?: number;
}

/**
 * `path[:tag]` or `path[:@index]` of an archive of `docker save`, as containers/image has it.
 *
 * @param split where its path ends.
 * @throws ImageReferenceError
 */
export function parseDockerArchiveRef(
  name: string,
  split: LayoutReference = parseArchiveRef(name),
): DockerArchiveReference {
  const { path, tag } = split;
  if (tag === undefined || !tag.startsWith('@')) return { path, ...(tag !== undefined && { tag }) };
  if (!/^@[0-9]{1,9}$/.test(tag)) throw new ImageReferenceError(`Invalid source index ${tag} in ${name}`);
  return { path, index: Number(tag.slice(1)) };
}
