import type { Probe } from '../probe/probe.js';
import { boot } from './boot.js';
import { containersStorage } from './containers-storage.js';
import { anonymousFiles, fsVerity, reflink } from './file-system.js';
import { fuse } from './fuse.js';
import { erofs, overlay } from './kernel-mounts.js';
import { repository } from './repository.js';
import { rootlessOverlay } from './rootless-overlay.js';
import { koffi, skopeo, zstd } from './software.js';
import { kernel, node, privileges, resources } from './system.js';
import { subordinateIds, userNamespaces } from './user-namespaces.js';

/** All of them, in the order of the report. */
export const PROBES: readonly Probe[] = [
  node,
  kernel,
  resources,
  koffi,
  zstd,
  privileges,
  repository,
  fsVerity,
  reflink,
  anonymousFiles,
  erofs,
  overlay,
  fuse,
  userNamespaces,
  subordinateIds,
  rootlessOverlay,
  boot,
  skopeo,
  containersStorage,
];
