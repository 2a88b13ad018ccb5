import { type BigIntStats, closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs';
import type { ByteString } from '../bytes/byte-string.js';
import { byteStringToBuffer } from '../bytes/byte-string.js';
import { errorCode } from '../errors.js';
import { O_PATH } from '../linux/constants.js';
import { procPath } from '../linux/link.js';
import { type OpenDirectory, openDirectoryInRoot } from '../linux/open-beneath.js';
import { hasXattr, hasXattrs } from '../linux/xattr.js';
import type { LayerPath } from './layer-path.js';
import { isSafeId } from './records.js';
import type { ContainerStore } from './store.js';
import { PULL_AGAIN_HINT, StoreError } from './store-error.js';

const FILE_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Directories that are kept open: entries of a tar come directory by directory, mostly. */
const KEPT_OPEN = 32;

/** A file that its owner closes, as it was when it was opened. */
export interface OpenFile {
  readonly fd: number;
  readonly stat: BigIntStats;
}

/** What overlayfs marks a file with that has the metadata of one and the content of a lower layer. */
const METACOPY_XATTRS = ['trusted.overlay.metacopy', 'user.overlay.metacopy'];

/**
 * The files that a layer consists of, as the driver has unpacked them. Every file is opened below the layer's directory:
 * symlinks in the way of it lead to directories of the layer, one in its own place is an error.
 */
export class LayerDirectory {
  readonly #root: number;
  readonly #open = new Map<ByteString, OpenDirectory>();

  /** @throws StoreError `LAYER_NOT_IN_STORE` */
  constructor(store: ContainerStore, layerId: string) {
    const path = store.driver === 'overlay' ? `${layerId}/diff` : `dir/${layerId}`;
    try {
      if (!isSafeId(layerId)) throw new StoreError('LAYER_NOT_IN_STORE', `${JSON.stringify(layerId)} is no layer id`);
      this.#root = store.withDriverDirectory(path, (fd) =>
        openSync(`${procPath(fd)}/.`, O_PATH | constants.O_DIRECTORY),
      );
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause;
      throw new StoreError('LAYER_NOT_IN_STORE', `layer not found: ${layerId}`, { cause, hint: PULL_AGAIN_HINT });
    }
  }

  /**
   * Opens a regular file for reading. The caller closes it.
   *
   * @returns undefined if there is none of that name.
   * @throws ELOOP for a symlink; system errors as they are.
   */
  openFile({ directory, name }: LayerPath): OpenFile | undefined {
    let fd: number;
    try {
      const parent = this.#directory(directory);
      fd = openSync(asPath(`${procPath(parent.fd)}/${name}`), FILE_ONLY);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
    const stat = fstatSync(fd, { bigint: true });
    if (stat.isFile()) return { fd, stat };
    closeSync(fd);
    return undefined;
  }

  close(): void {
    for (const directory of this.#open.values()) directory.close();
    this.#open.clear();
    closeSync(this.#root);
  }

  #directory(path: ByteString): OpenDirectory {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    for (const [oldest, directory] of this.#open) {
      if (this.#open.size < KEPT_OPEN) break;
      this.#open.delete(oldest);
      directory.close();
    }
    const opened = openDirectoryInRoot(this.#root, byteStringToBuffer(path));
    this.#open.set(path, opened);
    return opened;
  }
}

/** Node writes text as UTF-8. */
function asPath(path: string): string | Buffer {
  return IS_ASCII.test(path) ? path : Buffer.from(path, 'latin1');
}

const IS_ASCII = /^[ -~]*$/;

/** Whether an open file is one of overlayfs without content of its own: it reads as zeros (spec 60 §8.4). */
export function isMetacopyStub(fd: number): boolean {
  return hasXattrs(fd) && METACOPY_XATTRS.some((name) => hasXattr(fd, name));
}

/**
 * The ids of the layers that a layer of an overlay store lies on, the nearest first (spec 60 §4.6): those of `lower` that
 * are links in this store. None with another driver, whose layers are complete.
 */
export function lowerLayers(store: ContainerStore, layerId: string): string[] {
  if (store.driver !== 'overlay') return [];
  const lower = store.layerText(layerId, 'lower') ?? '';
  return lower.split(':').flatMap((item) => {
    if (!item.startsWith('l/')) return [];
    const id = resolveLink(store, item.slice(2));
    return id === undefined ? [] : [id];
  });
}

/** The layer that `overlay/l/LINK` leads to; undefined if it is not there, as with layers of another store (O-9). */
function resolveLink(store: ContainerStore, link: string): string | undefined {
  if (!isSafeId(link)) return undefined;
  try {
    const target = store.withDriverDirectory('l', (fd) => readlinkSync(`${procPath(fd)}/${link}`));
    // `../ID/diff`
    const id = target.split('/').at(-2);
    return id !== undefined && isSafeId(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
