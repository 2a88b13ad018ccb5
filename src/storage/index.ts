/** Stores of containers/storage, as podman, buildah and CRI-O keep them: they are read, and nothing is known of repositories. */

export { type FoundImage, findImage, type ShortNames } from './find-image.js';
export { type FoundLayer, findLayers } from './find-layers.js';
export { type ListedImage, listStoredImages, type StoredImages } from './list-images.js';
export { type OpenStores, openStores, type StoreFailure, tryOpenStores } from './open-stores.js';
export { type LayerFile, rebuildTar, requireUnchangedFiles, type TarReceiver } from './rebuild-tar.js';
export type { ImageRecord, LayerRecord } from './records.js';
export { loadStorageConf, type StorageConf } from './storage-conf.js';
export { type StorageEnvironment, storageEnvironment } from './storage-environment.js';
export { ContainerStore, STORE_DRIVERS, type StoreDriver, type StorePlace } from './store.js';
export { PULL_AGAIN_HINT, StoreError } from './store-error.js';
export { type StoreChoice, type StoreLocation, storeLocations } from './store-locations.js';
export { lockStore, type StoreLock } from './store-lock.js';
export { parseStoreReference, type StoreReference } from './store-reference.js';
