import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Descriptor } from '../oci/model/descriptor.js';
import { type OciDigest, sha256ContentDigest } from '../oci/model/digest.js';
import { OCI_INDEX } from '../oci/model/media-types.js';
import { type Fault, type FaultCondition, type FaultHandle, FaultPlan } from './fault.js';
import { loadLayout, type ManifestInput, manifestBytes } from './image-content.js';
import type { ApiContext } from './registry-api.js';
import { Authority, type RegistryAuth } from './registry-auth.js';
import {
  type BlobContent,
  contentSize,
  findReferrers,
  mediaTypeOf,
  RegistryContents,
  storeManifest,
  subjectOf,
} from './registry-contents.js';
import { type LoggedRequest, serveRequest } from './registry-server.js';
import { Uploads } from './uploads.js';

/** How a registry behaves. */
export interface TestRegistryOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** HTTPS with this key and certificate (PEM); with `clientCa`, clients need a certificate that it issued. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer; readonly clientCa?: string | Buffer };
  /** Default: none. */
  readonly auth?: RegistryAuth;
  /** Whether there is a referrers API. Without, referrers that are put are listed under a tag. Default true. */
  readonly referrersApi?: boolean;
  /** Contents of another registry, to be shared with it. Default: empty. */
  readonly contents?: RegistryContents;
  /** Whether a pushed manifest is refused as long as its blobs are missing. Default true. */
  readonly checkPushes?: boolean;
  /** Largest blob that can be uploaded. Default 1 GiB. */
  readonly maxUploadBytes?: number;
}

/** How a manifest is put into a registry. */
export interface PutManifestOptions {
  readonly tag?: string;
  /** Default: what the manifest says of itself. */
  readonly mediaType?: string;
}

/** An image or artifact with everything it needs. */
export interface ImageInput {
  readonly manifest: ManifestInput;
  /** Config and layers, in any order. */
  readonly blobs: Iterable<Uint8Array>;
}

/**
 * An OCI registry in memory, on 127.0.0.1, for tests of clients. It serves what is put into it or pushed to it, asks
 * for credentials, answers wrongly where it is told to, and keeps a log.
 *
 * ```ts
 * await using registry = await TestRegistry.start({ auth: { type: 'basic', users: { ann: 'secret' } } });
 * registry.addLayout('my/image', 'path/of/an/oci/layout');
 * registry.addFault({ type: 'cut', afterBytes: 1000 }, { path: '*' + '/blobs/*', nth: 1 });
 * await pull(repository, registry.reference('my/image', 'latest'));
 * assert.equal(registry.requests.filter(({ status }) => status === 401).length, 1);
 * ```
 *
 * It is a tool for tests: it trusts its clients, and what they upload stays in memory.
 */
export class TestRegistry implements AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Scheme and host. */
  readonly origin: string;
  readonly contents: RegistryContents;
  /** In the order in which they came in. */
  readonly requests: LoggedRequest[] = [];
  readonly #server: Server;
  readonly #context: ApiContext;
  readonly #faults = new FaultPlan();

  private constructor(server: Server, options: TestRegistryOptions) {
    const { port } = server.address() as AddressInfo;
    this.host = `127.0.0.1:${port}`;
    this.origin = `${options.tls === undefined ? 'http' : 'https'}://${this.host}`;
    this.contents = options.contents ?? new RegistryContents();
    this.#server = server;
    this.#context = {
      contents: this.contents,
      authority: new Authority(options.auth ?? { type: 'none' }),
      uploads: new Uploads(this.contents, options.maxUploadBytes ?? 1 << 30),
      referrersApi: options.referrersApi ?? true,
      origin: this.origin,
      checkPushes: options.checkPushes ?? true,
    };
    const served = { context: this.#context, faults: this.#faults, log: this.requests };
    server.on('request', (request, response) => void serveRequest(request, response, served));
  }

  /** Starts a registry. It keeps the process alive until it is closed. */
  static async start(options: TestRegistryOptions = {}): Promise<TestRegistry> {
    const { tls } = options;
    const server =
      tls === undefined
        ? createServer()
        : createTlsServer({
            key: tls.key,
            cert: tls.cert,
            ...(tls.clientCa !== undefined && { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
          });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port ?? 0, '127.0.0.1', resolve);
    });
    return new TestRegistry(server, options);
  }

  /** Stops at once: running replies are cut off. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** Closes the registry and all its connections, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** `docker://HOST/REPOSITORY:TAG`, or `@DIGEST`. */
  reference(repository: string, tagOrDigest = 'latest'): string {
    return `docker://${this.host}/${repository}${tagOrDigest.includes(':') ? '@' : ':'}${tagOrDigest}`;
  }

  /** Stores an image or artifact. */
  addImage(repository: string, image: ImageInput, tag = 'latest'): Descriptor {
    for (const blob of image.blobs) this.putBlob(repository, Buffer.from(blob));
    return this.putManifest(repository, image.manifest, { tag });
  }

  /**
   * Stores all images of an OCI layout directory, under the names that its index gives them, else as `tag`. The blobs
   * are read from the directory when they are asked for.
   *
   * @returns the entries of the index.
   */
  addLayout(repository: string, path: string, tag = 'latest'): readonly Descriptor[] {
    return loadLayout(this.contents.ensure(repository), path, tag);
  }

  /** Stores a blob under its digest, or under `digest` although it is another's. */
  putBlob(repository: string, content: BlobContent, digest?: OciDigest): { digest: OciDigest; size: number } {
    const key = digest ?? (Buffer.isBuffer(content) ? sha256ContentDigest(content) : undefined);
    if (key === undefined) throw new TypeError('a file needs a digest');
    this.contents.ensure(repository).blobs.set(key, content);
    return { digest: key, size: contentSize(content) };
  }

  /**
   * Stores a manifest or index, whatever it is. If it has a subject and there is no referrers API, the subject's
   * fallback tag is brought up to date, as a client that pushes it would do.
   */
  putManifest(repository: string, manifest: ManifestInput, options: PutManifestOptions = {}): Descriptor {
    const raw = manifestBytes(manifest);
    const target = this.contents.ensure(repository);
    const { digest, mediaType } = storeManifest(target, raw, options.mediaType ?? mediaTypeOf(raw));
    if (options.tag !== undefined) target.tags.set(options.tag, digest);
    const subject = this.#context.referrersApi ? undefined : subjectOf(raw);
    if (subject !== undefined) {
      const manifests = findReferrers(target, subject);
      const index = manifestBytes({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
      target.tags.set(subject.replace(':', '-').slice(0, 128), storeManifest(target, index, OCI_INDEX).digest);
    }
    return { mediaType, digest, size: raw.length };
  }

  /** From now on requests that meet the condition meet the fault. Several faults may befall one request. */
  addFault(fault: Fault, condition: FaultCondition = {}): FaultHandle {
    return this.#faults.add(fault, condition);
  }

  /** Takes all faults back. */
  clearFaults(): void {
    this.#faults.clear();
  }

  /** From now on every access token given so far is invalid. */
  expireTokens(): void {
    this.#context.authority.expireTokens();
  }

  /** From now on every refresh token given so far is invalid. */
  revokeRefreshTokens(): void {
    this.#context.authority.revokeRefreshTokens();
  }

  /** A refresh token of a user, as `docker login` stores it as `identitytoken`. */
  issueRefreshToken(user: string): string {
    return this.#context.authority.issueRefreshToken(user);
  }
}
