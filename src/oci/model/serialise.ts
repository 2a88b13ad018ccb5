import type { ContainerConfig, HistoryEntry, ImageConfiguration } from './config.js';
import type { Descriptor } from './descriptor.js';
import type { ImageManifest } from './manifest.js';
import type { Platform } from './platform.js';

/**
 * Documents that this library composes itself, as compact JSON with the keys in a fixed order (spec 40 §2.4), so that
 * their digests are reproducible. Received documents are never serialised again: their bytes are kept.
 */

/** The keys in their order. The type makes the list complete: a field that is missing here would be lost. */
type KeyOrder<T> = { readonly [K in keyof Required<T>]: (value: Exclude<T[K], undefined>) => unknown };

const same = (value: unknown): unknown => value;

const PLATFORM: KeyOrder<Platform> = {
  architecture: same,
  os: same,
  'os.version': same,
  'os.features': same,
  variant: same,
};

const DESCRIPTOR: KeyOrder<Descriptor> = {
  mediaType: same,
  digest: same,
  size: same,
  urls: same,
  annotations: same,
  platform: (value) => ordered(PLATFORM, value),
  artifactType: same,
  data: same,
};

const MANIFEST: KeyOrder<ImageManifest> = {
  schemaVersion: same,
  mediaType: same,
  artifactType: same,
  config: (value) => ordered(DESCRIPTOR, value),
  layers: (value) => value.map((layer) => ordered(DESCRIPTOR, layer)),
  subject: (value) => ordered(DESCRIPTOR, value),
  annotations: same,
};

const CONTAINER_CONFIG: KeyOrder<ContainerConfig> = {
  User: same,
  ExposedPorts: same,
  Env: same,
  Entrypoint: same,
  Cmd: same,
  Volumes: same,
  WorkingDir: same,
  Labels: same,
  StopSignal: same,
};

const HISTORY: KeyOrder<HistoryEntry> = {
  created: same,
  author: same,
  created_by: same,
  comment: same,
  empty_layer: same,
};

const CONFIGURATION: KeyOrder<ImageConfiguration> = {
  created: same,
  author: same,
  architecture: same,
  os: same,
  'os.version': same,
  'os.features': same,
  variant: same,
  config: (value) => ordered(CONTAINER_CONFIG, value),
  rootfs: ({ type, diff_ids }) => ({ type, diff_ids }),
  history: (value) => value.map((entry) => ordered(HISTORY, entry)),
};

/** The bytes of a manifest; absent fields are left out. */
export function serialiseManifest(manifest: ImageManifest): Buffer {
  return Buffer.from(JSON.stringify(ordered(MANIFEST, manifest)));
}

/** The bytes of an image configuration; absent fields are left out. */
export function serialiseConfig(config: ImageConfiguration): Buffer {
  return Buffer.from(JSON.stringify(ordered(CONFIGURATION, config)));
}

/** A copy of `value` with the keys of `order` in their order. */
function ordered<T extends object>(order: KeyOrder<T>, value: T): object {
  const result: Record<string, unknown> = {};
  for (const key in order) {
    const field: T[typeof key] = value[key];
    if (field !== undefined) result[key] = order[key](field as Exclude<T[typeof key], undefined>);
  }
  return result;
}
