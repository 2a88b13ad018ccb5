import { type BigIntStats, closeSync } from 'node:fs';
import { type ByteString, quoteBytes } from '../bytes/byte-string.js';
import { readChunks, withFd } from '../fs/files.js';
import { TAR_BLOCK_SIZE } from '../tar/header.js';
import { Turns } from '../threads/turns.js';
import { Crc64 } from './crc64.js';
import { isMetacopyStub, LayerDirectory, lowerLayers, type OpenFile } from './layer-directory.js';
import { layerPath } from './layer-path.js';
import type { ContainerStore } from './store.js';
import { PULL_AGAIN_HINT, StoreError } from './store-error.js';
import { readTarSplit, type TarSplitItem } from './tar-split.js';

/** What a layer's tar goes to, piece by piece. */
export interface TarReceiver {
  bytes(bytes: Buffer): void;
  /**
   * The content of a file that the store has comes next; `file` reads it. The descriptor is the receiver's. A file that
   * takes long may be read in turns.
   */
  file(file: LayerFile): void | Promise<void>;
}

export interface LayerFile {
  readonly fd: number;
  /** The file as it was when it was opened. */
  readonly stat: BigIntStats;
  /** That of the content; never 0. */
  readonly size: number;
  /** The name of the tar entry. */
  readonly name: ByteString;
}

type FileItem = Extract<TarSplitItem, { type: 'file' }>;

/** tar header types of entries without content, whatever their size field says: links, devices, directories, FIFOs. */
const FIRST_WITHOUT_CONTENT = 0x31;
const LAST_WITHOUT_CONTENT = 0x36;
const TYPE_OFFSET = 156;

/** containers/storage makes no more layers of one image; `lower` may say anything. */
const MAX_CHAIN = 500;

/** How many files an error names. */
const MAX_NAMED = 5;

/**
 * Gives the uncompressed tar of a layer, byte for byte as it came into the store: headers and padding from the tar-split,
 * the content of files from where the driver has unpacked them (spec 60 §8.2). Nothing is taken on trust but this: whoever
 * receives it compares the digest with the diff_id.
 *
 * @throws StoreError `LAYER_NOT_IN_STORE`, `LAYER_NOT_REBUILDABLE`, `INVALID_TAR_SPLIT`; `LAYER_FILE_CHANGED` for a file
 *   that is missing or has another size
 */
export async function rebuildTar(
  store: ContainerStore,
  layerId: string,
  receiver: TarReceiver,
  signal?: AbortSignal,
): Promise<void> {
  await readLayer(store, layerId, signal, {
    segment: (bytes) => receiver.bytes(bytes),
    file: (item, files) => {
      const { fd, stat } = files.open(item);
      return receiver.file({ fd, stat, size: item.size, name: item.name });
    },
  });
}

/**
 * Compares every file of a layer with the size and the CRC of the tar-split. For when the tar is not that of the
 * diff_id: it says which files are to blame.
 *
 * @throws StoreError `LAYER_FILE_CHANGED` with the names; as {@link rebuildTar}.
 */
export async function requireUnchangedFiles(
  store: ContainerStore,
  layerId: string,
  signal?: AbortSignal,
): Promise<void> {
  const changed: string[] = [];
  let count = 0;
  const buffer = Buffer.allocUnsafe(1 << 20);
  await readLayer(store, layerId, signal, {
    segment: () => undefined,
    file: (item, files) => {
      const problem = problemOf(files, item, buffer);
      if (problem === undefined) return;
      count++;
      if (changed.length < MAX_NAMED) changed.push(problem);
    },
  });
  if (count === 0) return;
  const more = count > changed.length ? ` and ${count - changed.length} more` : '';
  throw new StoreError('LAYER_FILE_CHANGED', `${changed.join('; ')}${more}`, { hint: PULL_AGAIN_HINT });
}

function problemOf(files: LayerFiles, item: FileItem, buffer: Buffer): string | undefined {
  try {
    return withFd(files.open(item).fd, (fd) => {
      const crc = new Crc64();
      for (const chunk of readChunks(fd, buffer)) crc.update(chunk);
      if (item.crc === undefined || crc.digest().equals(item.crc)) return undefined;
      return `file ${quoteBytes(item.name)} of layer ${files.layerId} has another content`;
    });
  } catch (error) {
    if (error instanceof StoreError && error.code === 'LAYER_FILE_CHANGED') return error.message;
    throw error;
  }
}

interface LayerReader {
  /** Never empty. */
  readonly segment: (bytes: Buffer) => void;
  readonly file: (item: FileItem, files: LayerFiles) => void | Promise<void>;
}

/** Goes through a tar-split, in turns. */
async function readLayer(
  store: ContainerStore,
  layerId: string,
  signal: AbortSignal | undefined,
  reader: LayerReader,
): Promise<void> {
  const files = new LayerFiles(store, layerId);
  try {
    const fd = store.openTarSplit(layerId);
    if (fd === undefined) {
      throw new StoreError('LAYER_NOT_REBUILDABLE', `the store has no tar-split of layer ${layerId}`, {
        hint: 'pull it with --via skopeo, which makes a tar of the files',
      });
    }
    try {
      // What precedes a file ends with its header.
      let before: Buffer = Buffer.alloc(0);
      const turns = new Turns(signal);
      for await (const batch of readTarSplit(fd, store.nameOf(`${store.driver}-layers/${layerId}.tar-split.gz`))) {
        signal?.throwIfAborted();
        for (const item of batch) {
          if (turns.isOver()) await turns.next();
          if (item.type === 'segment') {
            before = lastBlocks(before, item.bytes);
            if (item.bytes.length > 0) reader.segment(item.bytes);
          } else if (item.size > 0 && hasContent(before, item.name)) {
            const reading = reader.file(item, files);
            if (reading !== undefined) await reading;
          }
        }
      }
    } finally {
      closeSync(fd);
    }
  } finally {
    files.close();
  }
}

/** Opens the files of a layer, in the layers below it where it has none or only an overlayfs stub (spec 60 §8.4). */
class LayerFiles {
  readonly layerId: string;
  readonly #store: ContainerStore;
  readonly #directories: LayerDirectory[];
  /** Ids of layers below that were not looked into yet; undefined if that was not asked. */
  #lower: string[] | undefined;

  constructor(store: ContainerStore, layerId: string) {
    this.#store = store;
    this.layerId = layerId;
    this.#directories = [new LayerDirectory(store, layerId)];
  }

  /** @throws StoreError `LAYER_FILE_CHANGED` */
  open(item: FileItem): OpenFile {
    const path = layerPath(item.name);
    if (path === undefined) throw this.#changed(item, 'has a name that no file can have');
    for (let depth = 0; depth <= MAX_CHAIN; depth++) {
      const directory = this.#directory(depth);
      if (directory === undefined) break;
      const file = directory.openFile(path);
      if (file === undefined) continue;
      const { fd, stat } = file;
      // Only overlayfs makes stubs, where a container has changed what a lower layer has.
      if (this.#store.driver === 'overlay' && isMetacopyStub(fd)) {
        closeSync(fd);
        continue;
      }
      if (stat.size === BigInt(item.size)) return file;
      closeSync(fd);
      throw this.#changed(item, `has ${stat.size} bytes instead of ${item.size}`);
    }
    throw this.#changed(item, 'is missing');
  }

  close(): void {
    for (const directory of this.#directories) directory.close();
  }

  #directory(depth: number): LayerDirectory | undefined {
    const known = this.#directories[depth];
    if (known !== undefined) return known;
    this.#lower ??= lowerLayers(this.#store, this.layerId);
    const id = this.#lower.shift();
    if (id === undefined) return undefined;
    const directory = new LayerDirectory(this.#store, id);
    this.#directories.push(directory);
    return directory;
  }

  #changed(item: FileItem, how: string): StoreError {
    return new StoreError('LAYER_FILE_CHANGED', `file ${quoteBytes(item.name)} of layer ${this.layerId} ${how}`, {
      hint: PULL_AGAIN_HINT,
    });
  }
}

/** The end of what was there and of what follows it: a block at least, if there is one. */
function lastBlocks(before: Buffer, next: Buffer): Buffer {
  return next.length >= TAR_BLOCK_SIZE ? next : Buffer.concat([before.subarray(-TAR_BLOCK_SIZE), next]);
}

/**
 * Whether an entry is of a kind that has content: for others the tar has none, whatever the size says.
 *
 * @param before ends with the header.
 */
function hasContent(before: Buffer, name: ByteString): boolean {
  if (before.length < TAR_BLOCK_SIZE) return true;
  const type = before[before.length - TAR_BLOCK_SIZE + TYPE_OFFSET] ?? 0;
  if (type >= FIRST_WITHOUT_CONTENT && type <= LAST_WITHOUT_CONTENT) return false;
  return !(type === 0 && name.endsWith('/'));
}
