import { closeSync, readSync, realpathSync } from 'node:fs';
import { roundUp } from '../../bytes/integer.js';
import { withContext } from '../../errors.js';
import { hasFileContent } from '../../tar/entry-type.js';
import { BLOCK_SIZE } from '../../tar/header.js';
import { entryPath, type ParsedEntry, TarParser } from '../../tar/parser.js';
import { MAX_JSON_BYTES } from '../model/json.js';
import { openRegularFile, readLocation } from './blob-file.js';
import { type FileLocation, ImageSourceError } from './image-source.js';
import type { LayoutFiles } from './layout-source.js';

/** Real archives have some hundred; headers without content could fill the memory with an index of them. */
const MAX_ENTRIES = 1_000_000;

const LAYOUT_FILE = /^(?:\.\/)*(index\.json|blobs\/sha256\/([0-9a-f]{64}))$/;

/**
 * An OCI image layout in a tar. The tar is indexed, not unpacked: of its names only `index.json` and
 * `blobs/sha256/<hex>` mean anything, only for regular files, and no path is ever made of them. As in extraction, the
 * last of several entries with one name counts.
 */
export class OciArchive implements LayoutFiles {
  readonly #path: string;
  readonly #files: ReadonlyMap<string, FileLocation>;

  private constructor(path: string, files: ReadonlyMap<string, FileLocation>) {
    this.#path = path;
    this.#files = files;
  }

  /** @throws ContextError `Opening OCI archive …` around a TarError or an ImageSourceError */
  static open(path: string): OciArchive {
    return withContext(`Opening OCI archive ${path}`, () => {
      const real = realpathSync(path);
      return new OciArchive(real, indexArchive(real));
    });
  }

  readIndex(): Buffer {
    const location = this.#files.get('index.json');
    if (location === undefined) {
      throw new ImageSourceError('INDEX_NOT_FOUND', 'Cannot find the Image Index (index.json)', {
        hint: `${this.#path} is no OCI archive. Archives of 'docker save' have their own format.`,
      });
    }
    if (location.size > MAX_JSON_BYTES) {
      const message = `index.json of ${location.size} bytes exceeds the limit of ${MAX_JSON_BYTES}`;
      throw new ImageSourceError('INVALID_ARCHIVE', message);
    }
    return Buffer.concat([...readLocation(location)]);
  }

  locate(hex: string): FileLocation | undefined {
    return this.#files.get(hex);
  }
}

/** The layout's files by `index.json` or the hex of their digest. */
function indexArchive(path: string): Map<string, FileLocation> {
  const { fd, size } = openRegularFile(path);
  try {
    refuseCompressed(fd, path);
    return indexTar(fd, path, size);
  } finally {
    closeSync(fd);
  }
}

function indexTar(fd: number, path: string, fileSize: number): Map<string, FileLocation> {
  const files = new Map<string, FileLocation>();
  const parser = new TarParser();
  const block = Buffer.alloc(BLOCK_SIZE);
  let entries = 0;
  let offset = 0;
  while (offset < fileSize) {
    readExactly(fd, block, offset);
    const step = parser.header(block, offset);
    offset += BLOCK_SIZE;
    if (step.type === 'end') return files;
    if (step.type === 'more') continue;
    if (step.type === 'sparse') throw invalidArchive('sparse tar entries are not supported');
    if (++entries > MAX_ENTRIES) throw invalidArchive(`more than ${MAX_ENTRIES} entries`);
    const size = step.type === 'entry' ? step.entry.size : step.size;
    if (size > fileSize - offset) throw invalidArchive(`unexpected end of the file, ${size} bytes wanted at ${offset}`);
    if (step.type === 'extension') parser.extensionData(readExactly(fd, Buffer.alloc(size), offset));
    if (step.type === 'entry') {
      const name = layoutFile(step.entry);
      if (name !== undefined) files.set(name, { kind: 'file', path, offset, size });
    }
    offset += roundUp(size, BLOCK_SIZE);
  }
  return files;
}

function layoutFile(entry: ParsedEntry): string | undefined {
  if (!hasFileContent(entry.type)) return undefined;
  const match = LAYOUT_FILE.exec(entryPath(entry));
  return match?.[2] ?? match?.[1];
}

function readExactly(fd: number, buffer: Buffer, offset: number): Buffer {
  for (let filled = 0; filled < buffer.length; ) {
    const count = readSync(fd, buffer, filled, buffer.length - filled, offset + filled);
    if (count === 0) throw invalidArchive(`unexpected end of the file at ${offset + filled}`);
    filled += count;
  }
  return buffer;
}

/** Blobs inside a compressed archive have no position in the file; skopeo and podman write plain ones. */
function refuseCompressed(fd: number, path: string): void {
  const magic = Buffer.alloc(4);
  readSync(fd, magic, 0, magic.length, 0);
  const isGzip = magic.readUInt16BE() === 0x1f8b;
  const isZstd = magic.readUInt32BE() === 0x28b52ffd;
  if (!isGzip && !isZstd) return;
  throw new ImageSourceError('COMPRESSED_ARCHIVE', `${path} is compressed with ${isGzip ? 'gzip' : 'zstd'}`, {
    hint: `Decompress it first: ${isGzip ? 'gzip' : 'zstd'} -dc ${path} > image.tar`,
  });
}

function invalidArchive(message: string): ImageSourceError {
  return new ImageSourceError('INVALID_ARCHIVE', `Invalid archive: ${message}`);
}
