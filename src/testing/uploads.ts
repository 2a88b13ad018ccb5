import { createHash, randomUUID } from 'node:crypto';
import type { OciDigest } from '../oci/model/digest.js';
import type { RegistryContents } from './registry-contents.js';
import { emptyReply, errorReply, type RegistryReply, type RegistryRequest } from './registry-message.js';

interface Upload {
  readonly repository: string;
  readonly chunks: Buffer[];
  size: number;
}

/** Uploads of blobs: monolithic by POST or by POST and PUT, in chunks by PATCH, and mounts from other repositories. */
export class Uploads {
  readonly #contents: RegistryContents;
  readonly #maxBytes: number;
  readonly #running = new Map<string, Upload>();

  /** @param maxBytes - of one blob. */
  constructor(contents: RegistryContents, maxBytes: number) {
    this.#contents = contents;
    this.#maxBytes = maxBytes;
  }

  /** @param id - of a running upload, empty for a new one. */
  async handle(request: RegistryRequest, repository: string, id: string): Promise<RegistryReply> {
    if (id === '') {
      return request.method === 'POST' ? await this.#start(request, repository) : emptyReply(405, { allow: 'POST' });
    }
    const upload = this.#running.get(id);
    if (upload?.repository !== repository) return errorReply(404, 'BLOB_UPLOAD_UNKNOWN', `no upload ${id}`);
    switch (request.method) {
      case 'GET':
        return status(204, upload, id);
      case 'PATCH':
        return (await this.#append(request, upload)) ?? status(202, upload, id);
      case 'PUT':
        return (await this.#append(request, upload)) ?? this.#finish(request.query.get('digest'), upload, id);
      case 'DELETE':
        this.#running.delete(id);
        return emptyReply(204);
      default:
        return emptyReply(405);
    }
  }

  async #start(request: RegistryRequest, repository: string): Promise<RegistryReply> {
    const mount = request.query.get('mount');
    const from = request.query.get('from');
    if (mount !== null && from !== null) {
      const content = this.#contents.get(from)?.blobs.get(mount as OciDigest);
      if (content !== undefined) {
        this.#contents.ensure(repository).blobs.set(mount as OciDigest, content);
        return created(repository, mount);
      }
    }
    const id = randomUUID();
    const upload: Upload = { repository, chunks: [], size: 0 };
    this.#running.set(id, upload);
    const digest = request.query.get('digest');
    if (digest === null) return status(202, upload, id);
    return (await this.#append(request, upload)) ?? this.#finish(digest, upload, id);
  }

  /** @returns a reply only if the chunk does not fit. */
  async #append(request: RegistryRequest, upload: Upload): Promise<RegistryReply | undefined> {
    const range = request.headers['content-range'];
    const start = /^(?:bytes )?(\d+)-(\d+)/.exec(range ?? '')?.[1];
    if (start !== undefined && Number(start) !== upload.size) {
      return errorReply(416, 'BLOB_UPLOAD_INVALID', `the upload has ${upload.size} bytes`);
    }
    const data = await request.readBody(this.#maxBytes - upload.size);
    upload.chunks.push(data);
    upload.size += data.length;
    return undefined;
  }

  #finish(digest: string | null, upload: Upload, id: string): RegistryReply {
    const data = Buffer.concat(upload.chunks);
    const algorithm = digest?.slice(0, digest.indexOf(':'));
    const isKnown = algorithm === 'sha256' || algorithm === 'sha512';
    if (digest === null || !isKnown || digest !== `${algorithm}:${createHash(algorithm).update(data).digest('hex')}`) {
      return errorReply(
        400,
        'DIGEST_INVALID',
        `the content of ${data.length} bytes does not have the digest ${digest}`,
      );
    }
    this.#running.delete(id);
    this.#contents.ensure(upload.repository).blobs.set(digest as OciDigest, data);
    return created(upload.repository, digest);
  }
}

function status(code: number, upload: Upload, id: string): RegistryReply {
  return emptyReply(code, {
    location: `/v2/${upload.repository}/blobs/uploads/${id}`,
    'docker-upload-uuid': id,
    range: `0-${Math.max(0, upload.size - 1)}`,
  });
}

function created(repository: string, digest: string): RegistryReply {
  return emptyReply(201, { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest });
}
