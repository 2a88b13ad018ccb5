import { type OciDigest, parseOciDigest } from '../oci/model/digest.js';
import { OCI_INDEX } from '../oci/model/media-types.js';
import { parseByteRange } from './byte-range.js';
import type { Authority } from './registry-auth.js';
import {
  contentBody,
  contentSize,
  findManifest,
  findReferrers,
  mediaTypeOf,
  type RegistryContents,
  type RepositoryContents,
  referencedDigests,
  storeManifest,
  subjectOf,
} from './registry-contents.js';
import {
  bufferBody,
  emptyReply,
  errorReply,
  jsonReply,
  type RegistryReply,
  type RegistryRequest,
} from './registry-message.js';
import type { Uploads } from './uploads.js';

/** What the API works on. */
export interface ApiContext {
  readonly contents: RegistryContents;
  readonly authority: Authority;
  readonly uploads: Uploads;
  readonly referrersApi: boolean;
  /** Scheme and host of this server. */
  readonly origin: string;
  readonly checkPushes: boolean;
}

const ROUTE = /^\/v2\/([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)\/(manifests|blobs\/uploads|blobs|tags|referrers)\/([^/]*)$/;
const MAX_MANIFEST_BYTES = 4 << 20;

/** The API of the OCI distribution specification, pull, push, discovery and management. */
export async function handleApi(request: RegistryRequest, context: ApiContext): Promise<RegistryReply> {
  if (request.path === '/v2/' || request.path === '/v2') {
    context.authority.check(request, undefined, context.origin);
    return jsonReply(200, {});
  }
  if (request.path === '/v2/_catalog') {
    context.authority.check(request, undefined, context.origin);
    return jsonReply(200, { repositories: context.contents.names.sort() });
  }
  const [, name, kind, item = ''] = ROUTE.exec(request.path) ?? [];
  if (name === undefined) return errorReply(404, 'NAME_INVALID', `there is nothing at ${request.path}`);
  context.authority.check(request, { repository: name, actions: actionsOf(request.method) }, context.origin);
  if (kind === 'blobs/uploads') return await context.uploads.handle(request, name, item);
  if (kind === 'manifests' && request.method === 'PUT') return await putManifest(request, context, name, item);
  const repository = context.contents.get(name);
  if (repository === undefined) return errorReply(404, 'NAME_UNKNOWN', `repository ${name} is not known`);
  if (kind === 'manifests') return manifest(request, repository, item);
  if (kind === 'blobs') return blob(request, repository, item);
  if (kind === 'tags' && item === 'list' && request.method === 'GET') return tags(request, repository, name);
  if (kind === 'referrers' && request.method === 'GET') return referrers(request, context, repository, item);
  return errorReply(405, 'UNSUPPORTED', `${request.method} is not supported here`);
}

function actionsOf(method: string): readonly string[] {
  if (method === 'GET' || method === 'HEAD') return ['pull'];
  return method === 'DELETE' ? ['delete'] : ['pull', 'push'];
}

function manifest({ method }: RegistryRequest, repository: RepositoryContents, reference: string): RegistryReply {
  const found = findManifest(repository, reference);
  if (found === undefined) return errorReply(404, 'MANIFEST_UNKNOWN', `manifest ${reference} is not known`);
  if (method === 'DELETE') {
    if (!repository.tags.delete(reference)) repository.manifests.delete(found.digest);
    for (const [tag, digest] of repository.tags) if (!repository.manifests.has(digest)) repository.tags.delete(tag);
    return emptyReply(202);
  }
  const headers = { 'content-type': found.mediaType, 'docker-content-digest': found.digest };
  return { status: 200, headers, body: bufferBody(found.raw) };
}

/** Stores a pushed manifest under its digest and, if it came by one, its tag. */
async function putManifest(
  request: RegistryRequest,
  context: ApiContext,
  name: string,
  reference: string,
): Promise<RegistryReply> {
  const raw = await request.readBody(MAX_MANIFEST_BYTES);
  const repository = context.contents.ensure(name);
  if (context.checkPushes) {
    const { blobs, manifests } = referencedDigests(raw);
    const missing =
      blobs.find((digest) => !repository.blobs.has(digest as OciDigest)) ??
      manifests.find((digest) => !repository.manifests.has(digest as OciDigest));
    if (missing !== undefined) return errorReply(404, 'MANIFEST_BLOB_UNKNOWN', `blob ${missing} is not known`);
  }
  const type = request.headers['content-type'] ?? mediaTypeOf(raw);
  const stored = storeManifest(repository, raw, type);
  if (!reference.includes(':')) repository.tags.set(reference, stored.digest);
  else if (reference !== stored.digest) {
    repository.manifests.delete(stored.digest);
    return errorReply(400, 'DIGEST_INVALID', `the manifest's digest is ${stored.digest}`);
  }
  const subject = context.referrersApi ? subjectOf(raw) : undefined;
  return emptyReply(201, {
    location: `/v2/${name}/manifests/${stored.digest}`,
    'docker-content-digest': stored.digest,
    ...(subject !== undefined && { 'oci-subject': subject }),
  });
}

function blob(request: RegistryRequest, repository: RepositoryContents, digest: string): RegistryReply {
  const key = digestOf(digest);
  const content = key === undefined ? undefined : repository.blobs.get(key);
  if (key === undefined || content === undefined) {
    return errorReply(404, 'BLOB_UNKNOWN', `blob ${digest} is not known`);
  }
  if (request.method === 'DELETE') {
    repository.blobs.delete(key);
    return emptyReply(202);
  }
  const total = contentSize(content);
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
  };
  const range = request.method === 'GET' ? wantedRange(request, headers.etag, total) : undefined;
  if (range === 'unsatisfiable') return emptyReply(416, { ...headers, 'content-range': `bytes */${total}` });
  if (range === undefined) return { status: 200, headers, body: contentBody(content) };
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${range.first}-${range.last}/${total}` },
    body: contentBody(content, range.first, range.last),
    part: { offset: range.first, total },
  };
}

function wantedRange({ headers }: RegistryRequest, etag: string, total: number): ReturnType<typeof parseByteRange> {
  const condition = headers['if-range'];
  if (headers.range === undefined || (condition !== undefined && condition !== etag)) return undefined;
  return parseByteRange(headers.range, total);
}

function digestOf(text: string): OciDigest | undefined {
  try {
    return parseOciDigest(text);
  } catch {
    return undefined;
  }
}

/** All tags in order, or `n` of them after `last` with a link to the next. */
function tags({ query }: RegistryRequest, repository: RepositoryContents, name: string): RegistryReply {
  const last = query.get('last');
  const rest = [...repository.tags.keys()].sort().filter((tag) => last === null || tag > last);
  const count = query.has('n') ? Math.max(0, Number(query.get('n')) || 0) : rest.length;
  const page = rest.slice(0, count);
  const next = `</v2/${name}/tags/list?n=${count}&last=${page.at(-1)}>; rel="next"`;
  return jsonReply(200, { name, tags: page }, page.length > 0 && page.length < rest.length ? { link: next } : {});
}

function referrers(
  { query }: RegistryRequest,
  context: ApiContext,
  repository: RepositoryContents,
  subject: string,
): RegistryReply {
  if (!context.referrersApi) return errorReply(404, 'UNSUPPORTED', 'the referrers API is not supported');
  const type = query.get('artifactType');
  const manifests = findReferrers(repository, subject).filter((each) => type === null || each.artifactType === type);
  return jsonReply(
    200,
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests },
    { 'content-type': OCI_INDEX, ...(type !== null && { 'oci-filters-applied': 'artifactType' }) },
  );
}
