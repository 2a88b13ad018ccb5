import { type OciDigest, parseOciDigest } from './digest.js';
import { ImageReferenceError } from './image-reference.js';

/** The name of an image in a registry, complete: nothing in it is left to a default. */
export interface RegistryReference {
  /** `host[:port]`; `docker.io` for Docker Hub, whatever it was called. */
  readonly host: string;
  /** `library/debian` */
  readonly repository: string;
  /** Given, or `latest` where there is no digest either. */
  readonly tag?: string;
  /** Decides where there is a tag as well. */
  readonly digest?: OciDigest;
}

export const DOCKER_HOST = 'docker.io';
const DOCKER_LEGACY_HOST = 'index.docker.io';
const DEFAULT_TAG = 'latest';
const MAX_NAME_LENGTH = 255;

const DOMAIN_PART = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const HOST = new RegExp(`^(?:${DOMAIN_PART}(?:\\.${DOMAIN_PART})*|\\[[a-fA-F0-9:]+\\])(?::([0-9]+))?$`);
const REPOSITORY_PART = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Parses `[docker://][HOST[:PORT]/]NAME[:TAG][@DIGEST]` by the rules of podman and skopeo: the first part is a host if
 * it holds a `.` or `:` or is `localhost`; without a host the image is of `docker.io`, whose images without a namespace
 * are in `library/`.
 *
 * @throws ImageReferenceError that names the offending part.
 */
export function parseRegistryReference(text: string): RegistryReference {
  const named = parseNamedReference(text);
  return named.tag === undefined && named.digest === undefined ? { ...named, tag: DEFAULT_TAG } : named;
}

/**
 * {@link parseRegistryReference} without the default tag.
 *
 * @throws ImageReferenceError that names the offending part.
 */
export function parseNamedReference(text: string): RegistryReference {
  const name = text.startsWith('docker://') ? text.slice('docker://'.length) : text;
  const fail = (what: string, hint?: string): never => {
    throw new ImageReferenceError(`Invalid image reference '${text}': ${what}`, hint);
  };
  if (name === '') return fail('it is empty');
  if (/^[0-9a-f]{64}$/.test(name)) {
    return fail('64 hexadecimal digits are no name', `To name an image by its digest: NAME@sha256:${name}`);
  }
  const [tagged, digestText] = splitDigest(name);
  if (digestText?.includes('/') === true) {
    // What is before the `@` may be a password, which messages do not show.
    const hint = 'Give them with --creds USER[:PASSWORD], or store them with `cfsctl oci login`.';
    throw new ImageReferenceError(
      `Invalid image reference '…@${digestText.slice(digestText.lastIndexOf('@') + 1)}': credentials are no part of it`,
      hint,
    );
  }
  const { host, path, tag } = splitName(tagged);
  if (!isHost(host)) return fail(`'${host}' is no host name with an optional port`);
  if (path === '') return fail('it has no name after the host');
  if (path !== path.toLowerCase()) return fail(`the name '${path}' must be in lower case`);
  const part = path.split('/').find((candidate) => !REPOSITORY_PART.test(candidate));
  if (part !== undefined)
    return fail(part === '' ? `empty part in the name '${path}'` : `'${part}' is not allowed in a name`);
  if (host.length + 1 + path.length > MAX_NAME_LENGTH)
    return fail(`the name is longer than ${MAX_NAME_LENGTH} characters`);
  if (tag !== undefined && !TAG.test(tag)) return fail(`'${tag}' is no tag`);
  let digest: OciDigest | undefined;
  if (digestText !== undefined) {
    try {
      digest = parseOciDigest(digestText);
    } catch (error) {
      return fail(`'${digestText}' is no digest: ${error instanceof Error ? error.message : error}`);
    }
  }
  return {
    host,
    repository: path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

/** `HOST/NAME[:TAG][@DIGEST]`, complete. */
export function formatRegistryReference(reference: RegistryReference): string {
  const { tag, digest } = reference;
  return `${repositoryName(reference)}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** `HOST/NAME` */
export function repositoryName({ host, repository }: Pick<RegistryReference, 'host' | 'repository'>): string {
  return `${host}/${repository}`;
}

/** Whether the text is `host[:port]`. */
export function isHost(text: string): boolean {
  const match = HOST.exec(text);
  return match !== null && (match[1] === undefined || Number(match[1]) <= 65535);
}

/** Whether the name begins with a host, so that it is no short name. */
export function hasHost(name: string): boolean {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  return slash >= 0 && (/[.:]/.test(first) || first === 'localhost');
}

function splitDigest(name: string): [tagged: string, digest: string | undefined] {
  const at = name.indexOf('@');
  return at < 0 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)];
}

function splitName(tagged: string): { host: string; path: string; tag: string | undefined } {
  const slash = hasHost(tagged) ? tagged.indexOf('/') : -1;
  const given = slash < 0 ? DOCKER_HOST : tagged.slice(0, slash);
  const host = given === DOCKER_LEGACY_HOST ? DOCKER_HOST : given;
  const rest = tagged.slice(slash + 1);
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  const isOfficial = host === DOCKER_HOST && path !== '' && !path.includes('/');
  return { host, path: isOfficial ? `library/${path}` : path, tag };
}
