import { createReadStream } from 'node:fs';
import { isJsonObject } from '../json/json.js';
import type { Descriptor } from '../oci/model/descriptor.js';
import { type OciDigest, sha256ContentDigest } from '../oci/model/digest.js';
import { OCI_INDEX, OCI_MANIFEST } from '../oci/model/media-types.js';
import { bufferBody, type ReplyBody } from './registry-message.js';

/** A blob: bytes in memory, or a file that is read when it is asked for. */
export type BlobContent = Buffer | { readonly path: string; readonly size: number };

/** A manifest or index, as a registry has it. */
export interface StoredManifest {
  readonly raw: Buffer;
  readonly digest: OciDigest;
  readonly mediaType: string;
}

/** What one repository holds. Nothing is checked here: a test may store whatever it likes. */
export interface RepositoryContents {
  readonly blobs: Map<OciDigest, BlobContent>;
  readonly manifests: Map<OciDigest, StoredManifest>;
  readonly tags: Map<string, OciDigest>;
}

/** The contents of a registry. Several servers may share them: mirrors, a host for blobs only. */
export class RegistryContents {
  readonly #repositories = new Map<string, RepositoryContents>();

  /** In the order of their creation. */
  get names(): string[] {
    return [...this.#repositories.keys()];
  }

  /** What a repository holds; undefined if there is none of that name. */
  get(name: string): RepositoryContents | undefined {
    return this.#repositories.get(name);
  }

  /** What a repository holds, made if there is none of that name. */
  ensure(name: string): RepositoryContents {
    const existing = this.#repositories.get(name);
    if (existing !== undefined) return existing;
    const created: RepositoryContents = { blobs: new Map(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, created);
    return created;
  }
}

/** The manifest that a tag or a digest names. */
export function findManifest(repository: RepositoryContents, reference: string): StoredManifest | undefined {
  const digest = repository.tags.get(reference);
  const wanted = digest ?? reference;
  for (const manifest of repository.manifests.values()) if (manifest.digest === wanted) return manifest;
  return undefined;
}

/** Stores a manifest under the digest of its bytes. */
export function storeManifest(repository: RepositoryContents, raw: Buffer, mediaType: string): StoredManifest {
  const manifest: StoredManifest = { raw, digest: sha256ContentDigest(raw), mediaType };
  repository.manifests.set(manifest.digest, manifest);
  return manifest;
}

/** Descriptors of the manifests whose `subject` is `subject`, with their artifact type and annotations. */
export function findReferrers(repository: RepositoryContents, subject: string): Descriptor[] {
  const found: Descriptor[] = [];
  for (const { raw, digest, mediaType } of repository.manifests.values()) {
    const document = parseLoosely(raw);
    if (stringAt(document.subject, 'digest') !== subject) continue;
    const artifactType = stringAt(document, 'artifactType') ?? stringAt(document.config, 'mediaType');
    const annotations = textMap(document.annotations);
    found.push({
      mediaType,
      digest,
      size: raw.length,
      ...(artifactType !== undefined && { artifactType }),
      ...(annotations !== undefined && { annotations }),
    });
  }
  return found;
}

/** The digest of the `subject` of a manifest. */
export function subjectOf(raw: Buffer): string | undefined {
  return stringAt(parseLoosely(raw).subject, 'digest');
}

/** The media type that the document itself names, else that of its form. */
export function mediaTypeOf(raw: Buffer): string {
  const document = parseLoosely(raw);
  return stringAt(document, 'mediaType') ?? ('manifests' in document ? OCI_INDEX : OCI_MANIFEST);
}

/** The digests that a manifest or index needs to be there. */
export function referencedDigests(raw: Buffer): { blobs: string[]; manifests: string[] } {
  const document = parseLoosely(raw);
  const digests = (list: unknown): string[] =>
    (Array.isArray(list) ? list : []).map((item) => stringAt(item, 'digest')).filter((digest) => digest !== undefined);
  return {
    blobs: digests([document.config, ...(Array.isArray(document.layers) ? document.layers : [])]),
    manifests: digests(document.manifests),
  };
}

/** The bytes `first` to `last` of a blob. */
export function contentBody(content: BlobContent, first = 0, last: number = contentSize(content) - 1): ReplyBody {
  if (Buffer.isBuffer(content)) return bufferBody(content.subarray(first, last + 1));
  const size = last + 1 - first;
  return {
    size,
    chunks: () =>
      size === 0 ? [] : createReadStream(content.path, { start: first, end: last, highWaterMark: 1 << 18 }),
  };
}

export function contentSize(content: BlobContent): number {
  return Buffer.isBuffer(content) ? content.length : content.size;
}

/** A manifest or index of which nothing is known. */
interface LooseManifest {
  readonly mediaType?: unknown;
  readonly artifactType?: unknown;
  readonly config?: unknown;
  readonly layers?: unknown;
  readonly manifests?: unknown;
  readonly subject?: unknown;
  readonly annotations?: unknown;
}

/** An object, empty where the bytes are none: the registry serves nonsense as well. */
function parseLoosely(raw: Buffer): LooseManifest {
  try {
    const value: unknown = JSON.parse(raw.toString('utf8'));
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}

function stringAt(value: unknown, key: string): string | undefined {
  const field = isJsonObject(value) ? value[key] : undefined;
  return typeof field === 'string' ? field : undefined;
}

function textMap(value: unknown): Record<string, string> | undefined {
  if (!isJsonObject(value)) return undefined;
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
