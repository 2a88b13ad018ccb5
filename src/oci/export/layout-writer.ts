import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsError, errorCode } from '../../errors.js';
import { isErrno, readChunks, withFd } from '../../fs/files.js';
import { openRegularFile } from '../../fs/open-file.js';
import type { StagedFile } from '../../fs/staged-file.js';
import { waitForFlock } from '../../fs/wait-for-flock.js';
import { MAX_JSON_BYTES } from '../../json/json.js';
import { readDocumentFile } from '../blob/blob-file.js';
import type { Descriptor } from '../model/descriptor.js';
import { digestAlgorithm, digestEncoded, finishHash, hashLike } from '../model/digest.js';
import { addToIndex, checkRefName, EMPTY_INDEX, LAYOUT_FILE } from './layout-index.js';
import { manifestEntry, type OutgoingImage } from './outgoing-image.js';
import { TargetDirectory } from './target-directory.js';

/** An OCI layout that an image is added to: a new one, or one that is there. */
export class LayoutWriter {
  readonly #directory: TargetDirectory;
  readonly #lock: number | undefined;

  private constructor(directory: TargetDirectory, lock: number | undefined) {
    this.#directory = directory;
    this.#lock = lock;
  }

  /**
   * Waits until nobody else is adding to the layout.
   *
   * @throws ComposefsError `NOT_A_LAYOUT` for a directory with something else in it.
   */
  static async open(path: string, signal?: AbortSignal): Promise<LayoutWriter> {
    const directory = new TargetDirectory(path);
    if (directory.isNew) return new LayoutWriter(directory, undefined);
    const lock = openSync(directory.path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await waitForFlock(lock, 'exclusive', { signal });
      const names = directory.list();
      if (names.length > 0 && !names.includes('index.json')) {
        throw new ComposefsError('NOT_A_LAYOUT', `${path} is there, and no OCI layout`, {
          hint: 'name a directory that does not exist, an empty one, or a layout to add the image to',
        });
      }
    } catch (error) {
      closeSync(lock);
      throw error;
    }
    return new LayoutWriter(directory, lock);
  }

  createFile(): StagedFile {
    return this.#directory.createFile();
  }

  /** Adds the image; the index, which makes it one of the layout, comes last. */
  add(image: OutgoingImage, tag: string | undefined): void {
    if (tag !== undefined) checkRefName(tag);
    const index = this.#readIndex();
    this.#directory.makeDirectory('blobs');
    for (const { descriptor, content } of image.layers) {
      if ('file' in content) this.#placeBlob(descriptor, content.file);
    }
    this.#writeBlob(image.config.descriptor, image.config.raw);
    const entry = manifestEntry(image);
    this.#writeBlob(entry, image.manifest.raw);
    if (!this.#directory.list().includes('oci-layout')) this.#directory.write('oci-layout', LAYOUT_FILE);
    this.#directory.write('index.json', addToIndex(index, entry, tag));
  }

  finish(): void {
    this.#directory.finish();
    this.#unlock();
  }

  abandon(): void {
    this.#directory.abandon();
    this.#unlock();
  }

  #unlock(): void {
    if (this.#lock !== undefined) closeSync(this.#lock);
  }

  #readIndex(): Buffer {
    try {
      return readDocumentFile(join(this.#directory.path, 'index.json'), MAX_JSON_BYTES);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      return EMPTY_INDEX;
    }
  }

  #blobName({ digest }: Descriptor): string {
    const folder = join('blobs', digestAlgorithm(digest));
    this.#directory.makeDirectory(folder);
    return join(folder, digestEncoded(digest));
  }

  #placeBlob(descriptor: Descriptor, file: StagedFile): void {
    const name = this.#blobName(descriptor);
    if (!isIntact(join(this.#directory.path, name), descriptor)) this.#directory.place(name, file);
  }

  #writeBlob(descriptor: Descriptor, content: Buffer): void {
    const name = this.#blobName(descriptor);
    if (!isIntact(join(this.#directory.path, name), descriptor)) this.#directory.write(name, content);
  }
}

/** Whether a file is the blob: one that is damaged is written anew. */
function isIntact(path: string, { digest, size }: Descriptor): boolean {
  try {
    const file = openRegularFile(path);
    return withFd(file.fd, (fd) => {
      if (file.size !== size) return false;
      const hash = hashLike(digest);
      for (const chunk of readChunks(fd)) hash.update(chunk);
      return finishHash(hash, digest) === digest;
    });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ELOOP', 'NOT_A_FILE')) return false;
    throw error;
  }
}
