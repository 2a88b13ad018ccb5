import { closeSync } from 'node:fs';
import { byteStringToText } from '../../bytes/byte-string.js';
import { erofsTreeSteps } from '../../composefs/erofs/reader/read-tree.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ObjectStore } from '../../composefs/repository/objects/object-store.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Directory } from '../../composefs/tree/inode.js';
import { treeTar } from '../../composefs/tree/tree-tar.js';
import { ComposefsError, ContextError } from '../../errors.js';
import { readFullySteps } from '../../fs/files.js';
import { runInTurns, type Steps, Turns } from '../../threads/turns.js';
import { linkedErofs } from '../files/image-files.js';
import type { OciDigest } from '../model/digest.js';
import { notAContainerImage } from '../store/errors.js';
import type { OciImage } from '../store/image.js';
import { archive } from './archive.js';
import { dockerArchiveMembers, ociArchiveMembers } from './archive-members.js';
import { DirectoryWriter } from './directory-writer.js';
import { type ExportTarget, parseExportTarget, STANDARD_OUTPUT } from './export-target.js';
import { LayoutWriter } from './layout-writer.js';
import type { Content } from './outgoing-content.js';
import { type OutgoingImage, type OutgoingOptions, prepareOutgoing, type Staging } from './outgoing-image.js';
import { findReferrers, withAllOutgoing } from './outgoing-referrers.js';
import { requireFree, stagingBeside, temporaryFile, writeWholeFile } from './write-file.js';

/** How an image is written. */
export interface ExportOptions extends OutgoingOptions {
  /** Whether a file that is there is replaced. Layouts get the image added, other directories are left alone. */
  readonly replace?: boolean | undefined;
  /** Finds out the digest, and writes nothing. */
  readonly dryRun?: boolean | undefined;
  /** Whether what refers to the image (signatures, SBOMs) goes along: into a layout or an archive of one. */
  readonly referrers?: boolean | undefined;
  /** Takes what goes to standard output: the path `-`. */
  readonly output?: ((content: Content) => Promise<void>) | undefined;
  /** Told what will be written, before anything of it is. */
  readonly onPrepared?: ((digests: ExportedDigests) => void) | undefined;
}

/** The digests of what was written, and of what it was made of. */
export interface ExportedDigests {
  /** That of what is written; undefined where that has no manifest. */
  readonly manifestDigest: OciDigest | undefined;
  readonly configDigest: OciDigest;
  /** That of the stored image. */
  readonly pulledDigest: OciDigest;
  /** Those of what refers to the image and went along; undefined unless that was asked for. */
  readonly referrers?: readonly OciDigest[];
}

/**
 * Writes a stored image somewhere else, whole or not at all.
 *
 * @param to where, as `parseExportTarget` takes it.
 * @throws ImageReferenceError; ComposefsError `DIGEST_WOULD_CHANGE`, `EEXIST`, `NOT_A_LAYOUT`, `DIGEST_MISMATCH`, …
 */
export async function exportImage(
  repo: ReadableRepository,
  image: OciImage,
  to: string | ExportTarget,
  options: ExportOptions = {},
): Promise<ExportedDigests> {
  const target = typeof to === 'string' ? parseExportTarget(to) : to;
  try {
    return await repo.hold(() => new Export(repo, image, options).to(target));
  } catch (error) {
    // Those of the system name a file or none, and not what was to be done with it.
    throw isSystemFailure(error) ? new ContextError(`Writing ${target.transport}:${target.path}`, error) : error;
  }
}

function isSystemFailure(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && !(error instanceof ComposefsError);
}

const PIECE_SIZE = 256 * 1024;

class Export {
  readonly #repo: ReadableRepository;
  readonly #image: OciImage;
  readonly #options: ExportOptions;

  constructor(repo: ReadableRepository, image: OciImage, options: ExportOptions) {
    this.#repo = repo;
    this.#image = image;
    this.#options = options;
  }

  async to(target: ExportTarget): Promise<ExportedDigests> {
    const { path, tag, transport } = target;
    if (this.#options.referrers === true && transport !== 'oci' && transport !== 'oci-archive') {
      throw new ComposefsError('INVALID_ARGUMENT', `${transport}: cannot hold what refers to an image`, {
        hint: 'oci: and oci-archive: can',
      });
    }
    switch (transport) {
      case 'oci':
        return await this.#toDirectory((signal) => LayoutWriter.open(path, signal), tag);
      case 'dir':
        return await this.#toDirectory(async () => new DirectoryWriter(path), tag);
      case 'oci-archive':
        return await this.#toOciArchive(path, tag);
      case 'docker-archive':
        if (!this.#image.isContainerImage()) {
          const { manifestDigest, manifest } = this.#image;
          throw notAContainerImage(manifestDigest, manifest, 'which a Docker archive cannot hold');
        }
        return await this.#toFile(path, archive(dockerArchiveMembers(this.#repo, this.#image, tag)));
      case 'tar':
        return await this.#toFile(path, this.#files(linkedErofs(this.#repo, this.#image)));
    }
  }

  async #toDirectory(
    open: (signal: AbortSignal | undefined) => Promise<LayoutWriter | DirectoryWriter>,
    tag: string | undefined,
  ): Promise<ExportedDigests> {
    if (this.#options.dryRun === true) return await this.#tryOut();
    const writer = await open(this.#options.signal);
    try {
      const digests = await this.#withOutgoing({ create: () => writer.createFile(), all: true }, async (outgoing) => {
        this.#options.signal?.throwIfAborted();
        const [image, ...referrers] = outgoing;
        if (image !== undefined) writer.add(image, tag);
        for (const referrer of referrers) writer.add(referrer, undefined);
      });
      writer.finish();
      return digests;
    } catch (error) {
      writer.abandon();
      throw error;
    }
  }

  async #toOciArchive(path: string, tag: string | undefined): Promise<ExportedDigests> {
    if (this.#options.dryRun === true) return await this.#tryOut();
    if (path !== STANDARD_OUTPUT) requireFree(path, this.#options);
    const area = stagingBeside(path);
    const create = path === STANDARD_OUTPUT ? temporaryFile : () => area.create(0o600);
    return await this.#withOutgoing({ create, all: false }, (outgoing) =>
      this.#write(path, archive(ociArchiveMembers(this.#repo, outgoing, tag))),
    );
  }

  async #toFile(path: string, content: Content): Promise<ExportedDigests> {
    const digests = this.#digests(undefined);
    this.#options.onPrepared?.(digests);
    if (this.#options.dryRun !== true) await this.#write(path, content);
    return digests;
  }

  /** Of the manifest that would be written. */
  async #tryOut(): Promise<ExportedDigests> {
    return await this.#withOutgoing({ create: temporaryFile, all: false }, async () => undefined);
  }

  async #withOutgoing(
    staging: Staging,
    action: (outgoing: readonly OutgoingImage[]) => Promise<unknown>,
  ): Promise<ExportedDigests> {
    const outgoing = await prepareOutgoing(this.#repo, this.#image, staging, this.#options);
    try {
      const { digest } = outgoing.manifest;
      const referrers =
        this.#options.referrers === true ? findReferrers(this.#repo, this.#image, digest, this.#options) : undefined;
      return await withAllOutgoing(this.#repo, referrers ?? [], staging, this.#options, async (artifacts) => {
        const digests = {
          ...this.#digests(digest),
          ...(referrers !== undefined && { referrers: artifacts.map(({ manifest }) => manifest.digest) }),
        };
        this.#options.onPrepared?.(digests);
        await action([outgoing, ...artifacts]);
        return digests;
      });
    } finally {
      outgoing.dispose();
    }
  }

  #digests(manifestDigest: OciDigest | undefined): ExportedDigests {
    const { configDigest, manifestDigest: pulledDigest } = this.#image;
    return { manifestDigest, configDigest, pulledDigest };
  }

  async #write(path: string, content: Content): Promise<void> {
    const { output, replace, signal } = this.#options;
    if (path !== STANDARD_OUTPUT) return void (await writeWholeFile(path, content, { replace, signal }));
    if (output === undefined) throw new ComposefsError('INVALID_ARGUMENT', 'there is no standard output to write to');
    await output(untilAborted(content, signal));
  }

  /** The files of the image as it is mounted, every object checked as it is read. */
  async *#files(id: ObjectId): AsyncGenerator<Buffer> {
    const { objects } = this.#repo;
    const { signal } = this.#options;
    const tree = await runInTurns(intactTreeSteps(objects, id), signal);
    const turns = new Turns(signal);
    const intact = { algorithm: objects.algorithm, readObjectChunks: objects.readIntactChunks.bind(objects) };
    const tar = treeTar(tree, intact, {
      onSkipped: (path) => {
        const text = `a tar cannot hold the socket /${byteStringToText(path)}`;
        this.#options.progress?.report({ type: 'message', level: 'warning', text });
      },
    });
    // Most files are small, and each write takes a turn of its own.
    for (const chunk of inLargePieces(tar)) {
      yield chunk;
      if (turns.isOver()) await turns.next();
    }
  }
}

function* intactTreeSteps(objects: ObjectStore, id: ObjectId): Steps<Directory> {
  const fd = yield* objects.openIntactSteps(id);
  try {
    return yield* erofsTreeSteps(yield* readFullySteps(fd), objects.algorithm);
  } finally {
    closeSync(fd);
  }
}

function* inLargePieces(chunks: Iterable<Buffer>): Generator<Buffer> {
  let pieces: Buffer[] = [];
  let size = 0;
  for (const chunk of chunks) {
    pieces.push(chunk);
    size += chunk.length;
    if (size < PIECE_SIZE) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(pieces);
}

async function* untilAborted(content: Content, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    signal?.throwIfAborted();
    yield chunk;
  }
}
