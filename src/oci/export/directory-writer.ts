import { ComposefsError } from '../../errors.js';
import type { StagedFile } from '../../fs/staged-file.js';
import { digestAlgorithm, digestEncoded, type OciDigest, sha256Hex } from '../model/digest.js';
import type { OutgoingImage } from './outgoing-image.js';
import { TargetDirectory } from './target-directory.js';

const VERSION_FILE = Buffer.from('Directory Transport Version: 1.1\n');

/** A directory as skopeo's `dir:` has it: `manifest.json`, `version`, and each blob in a file of its digest's hex. */
export class DirectoryWriter {
  readonly #directory: TargetDirectory;

  /** @throws ComposefsError `EEXIST` for a directory with something in it */
  constructor(path: string) {
    this.#directory = new TargetDirectory(path);
    if (this.#directory.list().length > 0) {
      throw new ComposefsError('EEXIST', `${path} is there, and not empty`, {
        hint: 'name a directory that does not exist, or an empty one',
      });
    }
  }

  createFile(): StagedFile {
    return this.#directory.createFile();
  }

  add({ manifest, config, layers }: OutgoingImage): void {
    this.#directory.write('version', VERSION_FILE);
    for (const { descriptor, content } of layers) {
      if ('file' in content) this.#directory.place(blobName(descriptor.digest), content.file);
    }
    this.#directory.write(blobName(config.descriptor.digest), config.raw);
    this.#directory.write('manifest.json', manifest.raw);
  }

  finish(): void {
    this.#directory.finish();
  }

  abandon(): void {
    this.#directory.abandon();
  }
}

function blobName(digest: OciDigest): string {
  return sha256Hex(digest) ?? `${digestAlgorithm(digest)}-${digestEncoded(digest)}`;
}
