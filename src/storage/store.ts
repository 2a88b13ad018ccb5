import { closeSync, constants, lstatSync, openSync } from 'node:fs';
import { ContextError, errorCode } from '../errors.js';
import { readFully, withFd } from '../fs/files.js';
import { requireRegularFile } from '../fs/open-file.js';
import { renamePath } from '../fs/rename-path.js';
import { O_PATH } from '../linux/constants.js';
import { procPath } from '../linux/link.js';
import { openBeneath, withDirectoryBeneath } from '../linux/open-beneath.js';
import { mountIdOf } from '../system/mount-info.js';
import {
  type ImageRecord,
  isSafeId,
  type LayerRecord,
  MAX_RECORDS_BYTES,
  parseImageRecords,
  parseLayerRecords,
} from './records.js';
import { OTHER_OWNER_HINT, StoreError } from './store-error.js';

/** The drivers of containers/storage whose layers can be read. */
export type StoreDriver = 'overlay' | 'vfs';

export const STORE_DRIVERS: readonly StoreDriver[] = ['overlay', 'vfs'];

/** Plain data: a {@link ContainerStore} can be opened by it in another thread or process. */
export interface StorePlace {
  readonly root: string;
  readonly driver: StoreDriver;
}

const FILE_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const DIRECTORY = O_PATH | constants.O_DIRECTORY;

/**
 * A store of containers/storage, as podman, buildah and CRI-O keep it (spec 60 §4): what it holds of one driver. It is
 * only read. Everything is opened below the root without following links; `root` itself may lead over some.
 */
export class ContainerStore implements StorePlace {
  readonly root: string;
  readonly driver: StoreDriver;
  readonly #fd: number;
  /** The directory of the driver: podman mounts it on itself while containers run, so it may be another mount. */
  readonly #driverFd: number;

  /**
   * @param path by which the root is reached, if not by its name.
   * @throws StoreError `STORE_NOT_FOUND`, `INVALID_STORE`; system errors as they are.
   */
  constructor({ root, driver }: StorePlace, path: string = root) {
    this.root = root;
    this.driver = driver;
    this.#fd = openRoot(path);
    try {
      for (const name of directoriesOf(driver)) {
        if (!hasDirectory(this.#fd, name)) throw missing(name);
      }
      this.#driverFd = openSync(`${procPath(this.#fd)}/${driver}`, DIRECTORY | constants.O_NOFOLLOW);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** Of the root; stays the store's. */
  get fd(): number {
    return this.#fd;
  }

  /** Whether something is mounted over the directory of the driver, so that no links lead out of it. */
  get isMountedOver(): boolean {
    return mountIdOf(this.#fd) !== mountIdOf(this.#driverFd);
  }

  close(): void {
    closeSync(this.#driverFd);
    closeSync(this.#fd);
  }

  /** The store's images in the order of `images.json`; none where that is not there. */
  images(): ImageRecord[] {
    const bytes = this.#readIfThere(`${this.driver}-images/images.json`, MAX_RECORDS_BYTES);
    return bytes === undefined ? [] : parseImageRecords(bytes, this.nameOf(`${this.driver}-images/images.json`));
  }

  /** The store's layers in the order of `layers.json`, those of containers, too; none where that is not there. */
  layers(): LayerRecord[] {
    const bytes = this.#readIfThere(`${this.driver}-layers/layers.json`, MAX_RECORDS_BYTES);
    return bytes === undefined ? [] : parseLayerRecords(bytes, this.nameOf(`${this.driver}-layers/layers.json`));
  }

  /**
   * One big data item of an image, such as its manifest (spec 60 §4.5).
   *
   * @param maxBytes a larger one is `FILE_TOO_LARGE`, before anything is read.
   * @returns undefined if there is none of that key.
   */
  bigData(imageId: string, key: string, maxBytes: number): Buffer | undefined {
    if (!isSafeId(imageId)) return undefined;
    return this.#readIfThere(`${this.driver}-images/${imageId}/${bigDataFileName(key)}`, maxBytes);
  }

  /** Opens the tar-split of a layer; undefined if it has none. The caller closes it. */
  openTarSplit(layerId: string): number | undefined {
    if (!isSafeId(layerId)) return undefined;
    return this.#openIfThere(`${this.driver}-layers/${layerId}.tar-split.gz`);
  }

  /** Opens the file that readers and writers of the store's layers lock; undefined if there is none. */
  openLockFile(of: 'layers' | 'images'): number | undefined {
    return this.#openIfThere(`${this.driver}-${of}/${of}.lock`);
  }

  /**
   * A short text file of a layer's own directory, without white space around it; undefined if there is none.
   */
  layerText(layerId: string, name: 'link' | 'lower'): string | undefined {
    if (!isSafeId(layerId)) return undefined;
    try {
      const fd = openBeneath(this.#driverFd, `${layerId}/${name}`, FILE_ONLY);
      return withFd(fd, () => readFully(fd, MAX_LAYER_TEXT).toString('utf8').trim());
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Runs `action` with a descriptor of the driver's directory, and a path of one below it. */
  withDriverDirectory<T>(path: string, action: (fd: number) => T): T {
    return withDirectoryBeneath(this.#driverFd, path, path, action);
  }

  /** For messages: the path of something in the store. */
  nameOf(path: string): string {
    return `${this.root}/${path}`;
  }

  #readIfThere(path: string, maxBytes: number): Buffer | undefined {
    const fd = this.#openIfThere(path);
    return fd === undefined ? undefined : withFd(fd, () => readFully(fd, maxBytes));
  }

  #openIfThere(path: string): number | undefined {
    try {
      const fd = openBeneath(this.#fd, path, FILE_ONLY);
      requireFile(fd, this.nameOf(path));
      return fd;
    } catch (error) {
      if (isMissing(error)) return undefined;
      const hint = errorCode(error) === 'EACCES' ? OTHER_OWNER_HINT : undefined;
      throw new ContextError(`Opening ${this.nameOf(path)}`, error, hint);
    }
  }
}

/** `lower` names 128 ancestors and more with 28 bytes each. */
const MAX_LAYER_TEXT = 1 << 20;

/**
 * The drivers that a root has stores of.
 *
 * @param wanted one that is asked for by name.
 * @throws StoreError `STORE_NOT_FOUND`, `STORE_DRIVER_UNSUPPORTED`, `INVALID_STORE` if it is no store.
 */
export function driversOf(root: string, wanted?: string): StoreDriver[] {
  return withFd(openRoot(root), (fd) => {
    const found = STORE_DRIVERS.filter((driver) => directoriesOf(driver).every((name) => hasDirectory(fd, name)));
    const others = OTHER_DRIVERS.filter((driver) => hasDirectory(fd, `${driver}-layers`));
    const isWanted = others.some((driver) => driver === wanted);
    if (found.length > 0 && !isWanted) return found;
    if (others.length > 0) {
      throw new StoreError('STORE_DRIVER_UNSUPPORTED', `the driver ${others.join(', ')} cannot be read`, {
        hint: 'pull it with --via skopeo',
      });
    }
    const name = directoriesOf('overlay').find((each) => !hasDirectory(fd, each)) ?? 'overlay';
    throw missing(name, hasEntry(fd, root, PODMAN_DATABASE) ? DATABASE_HINT : undefined);
  });
}

/** What podman since 4.8 knows of containers is in SQLite; images and layers are in JSON with all its versions. */
const PODMAN_DATABASE = 'db.sql';
const DATABASE_HINT =
  "podman's database is there, but it holds no images: they are in the graph root that `podman info` names";

const OTHER_DRIVERS = ['btrfs', 'zfs', 'aufs', 'devicemapper'];

/** The file name of a big data key (spec 60 §4.5). */
export function bigDataFileName(key: string): string {
  return /^[.0-9a-z]+$/.test(key) && isSafeId(key) ? key : `=${Buffer.from(key, 'utf8').toString('base64')}`;
}

function directoriesOf(driver: StoreDriver): string[] {
  return [driver, `${driver}-layers`, `${driver}-images`];
}

function openRoot(root: string): number {
  try {
    return openSync(root, DIRECTORY);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new StoreError('STORE_NOT_FOUND', `storage root not found at ${root}`);
  }
}

function hasDirectory(fd: number, name: string): boolean {
  try {
    closeSync(openSync(`${procPath(fd)}/${name}`, DIRECTORY | constants.O_NOFOLLOW));
    return true;
  } catch {
    return false;
  }
}

function requireFile(fd: number, name: string): void {
  try {
    requireRegularFile(fd, name, 'INVALID_STORE');
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function hasEntry(fd: number, root: string, name: string): boolean {
  try {
    return lstatSync(`${procPath(fd)}/${name}`, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw renamePath(error, procPath(fd), root);
  }
}

function missing(name: string, hint?: string): StoreError {
  const details = hint === undefined ? {} : { hint };
  return new StoreError('INVALID_STORE', `invalid storage: Missing required directory: ${name}`, details);
}

function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR';
}
