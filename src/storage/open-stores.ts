import { errorCode, fullMessage } from '../errors.js';
import { type StorageEnvironment, storageEnvironment } from './storage-environment.js';
import { ContainerStore, driversOf, STORE_DRIVERS, type StoreDriver } from './store.js';
import { OTHER_OWNER_HINT, StoreError } from './store-error.js';
import { type StoreChoice, type StoreLocation, storeLocations } from './store-locations.js';

/** Stores that are open, in the order in which they are searched. */
export interface OpenStores {
  readonly stores: readonly ContainerStore[];
  /** What was looked at and is no store that can be read, and why. */
  readonly failures: readonly StoreFailure[];
  close(): void;
}

export interface StoreFailure {
  readonly location: StoreLocation;
  readonly error: unknown;
}

/**
 * Opens all stores that there are (spec 60 §3). A root with stores of several drivers gives one of each, that of the
 * configured driver first.
 *
 * @throws StoreError `STORE_NOT_FOUND` if there is none, `INVALID_STORE` if none can be read, with what is wrong with each,
 *   `STORE_DRIVER_UNSUPPORTED` if other programs may be able to; `INVALID_STORAGE_CONF`
 */
export function openStores(
  choice: StoreChoice = {},
  environment: StorageEnvironment = storageEnvironment(),
): OpenStores {
  const opened = tryOpenStores(storeLocations(choice, environment));
  if (opened.stores.length > 0) return opened;
  const reasons = opened.failures.map(({ location: { root }, error }) =>
    errorCode(error) === 'STORE_NOT_FOUND' ? fullMessage(error) : `${root}: ${fullMessage(error)}`,
  );
  const codes = new Set(opened.failures.map(({ error }) => errorCode(error)));
  throw new StoreError(combinedCode(codes), `Could not open any containers-storage root: ${reasons.join('; ')}`, {
    hint: codes.has('EACCES') ? OTHER_OWNER_HINT : ELSEWHERE_HINT,
  });
}

const ELSEWHERE_HINT =
  'name the store in brackets: containers-storage:[overlay@/path/to/storage]NAME, or set CONTAINERS_STORAGE_CONF';

function combinedCode(codes: ReadonlySet<string>): StoreError['code'] {
  if (codes.has('STORE_DRIVER_UNSUPPORTED')) return 'STORE_DRIVER_UNSUPPORTED';
  const isAnyThere = [...codes].some((code) => code !== 'STORE_NOT_FOUND');
  return isAnyThere ? 'INVALID_STORE' : 'STORE_NOT_FOUND';
}

/** {@link openStores} of given places; there may be none. */
export function tryOpenStores(locations: readonly StoreLocation[]): OpenStores {
  const stores: ContainerStore[] = [];
  const failures: StoreFailure[] = [];
  for (const location of locations) {
    try {
      for (const driver of wantedDrivers(location)) stores.push(new ContainerStore({ root: location.root, driver }));
    } catch (error) {
      failures.push({ location, error });
    }
  }
  const close = (): void => {
    for (const store of stores) store.close();
  };
  return { stores, failures, close };
}

function wantedDrivers({ root, driver, origin }: StoreLocation): StoreDriver[] {
  const there = driversOf(root, origin === 'given' ? driver : undefined);
  // `overlay2` is another name of the same driver.
  const wanted = STORE_DRIVERS.find((known) => known === (driver === 'overlay2' ? 'overlay' : driver));
  if (driver === undefined || (wanted === undefined && origin !== 'given')) return there;
  if (wanted === undefined || (origin === 'given' && !there.includes(wanted))) {
    throw new StoreError('INVALID_STORE', `invalid storage: it is a store of ${there.join(' and ')}, not of ${driver}`);
  }
  return origin === 'given' ? [wanted] : there.sort((a, b) => Number(b === wanted) - Number(a === wanted));
}
