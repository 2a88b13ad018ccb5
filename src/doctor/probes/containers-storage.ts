import { constants, fstatSync, openSync, readdirSync } from 'node:fs';
import { errorCode, fullMessage } from '../../errors.js';
import { isErrno, withFd } from '../../fs/files.js';
import { ficlone } from '../../linux/ioctl.js';
import { procPath } from '../../linux/link.js';
import { type ContainerStore, storeLocations, tryOpenStores } from '../../storage/index.js';
import { mountIdOf } from '../../system/mount-info.js';
import { limited, missing, type Outcome, ok } from '../probe/finding.js';
import { mayMountForReal } from '../probe/kernel-support.js';
import type { Probe } from '../probe/probe.js';
import { withScratch } from '../probe/scratch.js';

/** Which stores there are, and how an import of theirs would get its objects. */
export const containersStorage: Probe = {
  check: 'containers-storage',
  title: 'podman stores',
  needsSystemCalls: true,
  run({ directory }) {
    const { stores, failures, close } = tryOpenStores(storeLocations());
    try {
      if (stores.length > 0) return describe(stores.map((store) => inspect(store, directory)));
      const places = failures.map(({ location, error }) =>
        errorCode(error) === 'STORE_NOT_FOUND' ? location.root : `${location.root} (${fullMessage(error)})`,
      );
      return missing(`there is none that can be read: ${places.join(', ')}`);
    } finally {
      close();
    }
  },
};

interface StoreFinding {
  readonly text: string;
  readonly isFast: boolean;
}

function describe(found: readonly StoreFinding[]): Outcome {
  const detail = found.map(({ text }) => text).join('; ');
  if (found.every(({ isFast }) => isFast)) return ok(detail);
  return limited(detail, 'a repository on the file system of the store shares its data');
}

function inspect(store: ContainerStore, directory: string): StoreFinding {
  const name = `${store.root} (${store.driver})`;
  try {
    const { text, isFast } = waysFrom(store, directory);
    return { text: `${name}: ${count(store.images().length)}, ${text}`, isFast };
  } catch (error) {
    return { text: `${name}: cannot be read: ${fullMessage(error)}`, isFast: false };
  }
}

function count(images: number): string {
  return images === 1 ? '1 image' : `${images} images`;
}

/** Tries to clone a file of the store; whether it could be linked is told without a trial, which the store would show. */
function waysFrom(store: ContainerStore, directory: string): StoreFinding {
  return withSample(store, (fd, isFile) => {
    const noReflink = isFile ? whyNoReflink(fd, directory) : 'nothing of it can be tried';
    if (noReflink === undefined) return { text: 'imported by reflink', isFast: true };
    const noLink = whyNoLink(fd, store, directory);
    if (noLink === undefined) return { text: `imported by hard link (no reflink: ${noReflink})`, isFast: true };
    return { text: `imported as copies (no reflink: ${noReflink}; no hard link: ${noLink})`, isFast: false };
  });
}

function whyNoReflink(fd: number, directory: string): string | undefined {
  try {
    return withScratch(directory, (copy) => {
      ficlone(copy, fd);
      return undefined;
    });
  } catch (error) {
    if (isErrno(error, 'EOPNOTSUPP', 'ENOTTY')) return 'the file system has none';
    return isErrno(error, 'EXDEV') ? 'another file system' : fullMessage(error);
  }
}

function whyNoLink(fd: number, store: ContainerStore, directory: string): string | undefined {
  return withFd(openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY), (destination) => {
    if (fstatSync(fd).dev !== fstatSync(destination).dev) return 'another file system';
    if (mountIdOf(fd) === mountIdOf(destination)) return undefined;
    // Then the import takes a copy of the mount.
    if (store.isMountedOver && mountIdOf(store.fd) === mountIdOf(destination) && mayMountForReal()) return undefined;
    return 'another mount; podman mounts the directory of its layers on itself while containers run';
  });
}

/** How many directory entries are looked at for a file. */
const MAX_ENTRIES = 2000;

/** Runs `action` with a file of any layer that can be read, or where there is none with the directory of the driver. */
function withSample<T>(store: ContainerStore, action: (fd: number, isFile: boolean) => T): T {
  for (const { id } of store.layers()) {
    const fd = openSample(store, store.driver === 'overlay' ? `${id}/diff` : `dir/${id}`);
    if (fd !== undefined) return withFd(fd, () => action(fd, true));
  }
  return store.withDriverDirectory('', (fd) => action(fd, false));
}

function openSample(store: ContainerStore, layer: string): number | undefined {
  const directories = [layer];
  let seen = 0;
  for (let path = directories.shift(); path !== undefined && seen < MAX_ENTRIES; path = directories.shift()) {
    const current = path;
    try {
      const fd = store.withDriverDirectory(current, (directory) => {
        for (const entry of readdirSync(procPath(directory), { withFileTypes: true })) {
          seen++;
          if (entry.isDirectory()) directories.push(`${current}/${entry.name}`);
          const opened = entry.isFile() ? tryOpen(`${procPath(directory)}/${entry.name}`) : undefined;
          if (opened !== undefined) return opened;
        }
        return undefined;
      });
      if (fd !== undefined) return fd;
    } catch {
      // A layer, or a directory of one, that is not there or that this user may not read.
    }
  }
  return undefined;
}

/** A file that is not empty: nothing could be told of the clone of an empty one. */
function tryOpen(path: string): number | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (fstatSync(fd).size > 0) return fd;
    withFd(fd, () => undefined);
  } catch {
    // Another user's.
  }
  return undefined;
}
