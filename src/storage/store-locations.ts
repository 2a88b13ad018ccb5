import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { loadStorageConf } from './storage-conf.js';
import { type StorageEnvironment, storageEnvironment, variable } from './storage-environment.js';

/** A place where a store may be. */
export interface StoreLocation {
  readonly root: string;
  /** The driver that the configuration wants for it; undefined for whatever is there. */
  readonly driver: string | undefined;
  /** Why it is looked at, for people: `storage.conf`, `additional image store`, … */
  readonly origin: string;
}

/** Which stores to take instead of looking for some. */
export interface StoreChoice {
  /** The only store that is searched, before the additional ones. */
  readonly root?: string | undefined;
  readonly driver?: string | undefined;
  readonly additionalImageStores?: readonly string[] | undefined;
}

const STORE = join('containers', 'storage');

/** Ways in which `STORAGE_OPTS` and `[graphroot:options]` name an additional image store. */
const IMAGE_STORE_OPTION = /^(?:(?:overlay2?|vfs)\.)?(?:additionalimagestore|imagestore)=(.+)$/;

/**
 * Where stores are looked for, in the order in which they are searched (spec 60 §3.1 and O-3): `CONTAINERS_STORAGE_ROOT`,
 * what `CONTAINERS_STORAGE_CONF` names, the user's own store, what storage.conf names, the system's store, and
 * what `STORAGE_OPTS` names. A store that several of them name is there once.
 *
 * @throws StoreError `INVALID_STORAGE_CONF`
 */
export function storeLocations(
  { root, driver, additionalImageStores = [] }: StoreChoice = {},
  environment: StorageEnvironment = storageEnvironment(),
): StoreLocation[] {
  const additional = additionalImageStores.map((path) => ({
    root: path,
    driver: undefined,
    origin: 'additional image store',
  }));
  if (root !== undefined) return unique([{ root, driver, origin: 'given' }, ...additional]);
  const configured = confLocations(environment);
  const options = imageStoreOptions(variable(environment, 'STORAGE_OPTS') ?? '');
  return unique([
    ...named('CONTAINERS_STORAGE_ROOT', variable(environment, 'CONTAINERS_STORAGE_ROOT')),
    ...(configured.isNamed ? configured.locations : []),
    ...homeLocations(environment),
    ...(configured.isNamed ? [] : configured.locations),
    { root: environment.systemStore, driver: undefined, origin: 'system' },
    ...options.flatMap((path) => named('STORAGE_OPTS', path)),
    ...additional,
  ]);
}

/** The additional image stores among options as `STORAGE_OPTS` has them, `key=value` with commas between. */
export function imageStoreOptions(options: string): string[] {
  return options.split(',').flatMap((option) => IMAGE_STORE_OPTION.exec(option.trim())?.[1] ?? []);
}

function confLocations(environment: StorageEnvironment): { isNamed: boolean; locations: StoreLocation[] } {
  const conf = loadStorageConf(environment);
  const driver = variable(environment, 'STORAGE_DRIVER') ?? conf.driver;
  const origin = conf.path ?? 'storage.conf';
  const graphRoot = conf.graphRoot === undefined ? [] : [{ root: conf.graphRoot, driver, origin }];
  const imageStores = conf.imageStores.map((root) => ({ root, driver: undefined, origin }));
  return { isNamed: conf.isNamed, locations: [...graphRoot, ...imageStores] };
}

function homeLocations(environment: StorageEnvironment): StoreLocation[] {
  const { home } = environment;
  if (home === undefined) return [];
  const dataHome = variable(environment, 'XDG_DATA_HOME');
  return [...(dataHome === undefined ? [] : [dataHome]), join(home, '.local', 'share')].map((data) => ({
    root: join(data, STORE),
    driver: undefined,
    origin: 'user',
  }));
}

function named(origin: string, root: string | undefined): StoreLocation[] {
  return root === undefined ? [] : [{ root, driver: undefined, origin }];
}

function unique(locations: readonly StoreLocation[]): StoreLocation[] {
  const seen = new Set<string>();
  return locations.filter(({ root }) => {
    const path = realPath(root);
    return seen.size < seen.add(path).size;
  });
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
