import type { Probe } from '../probe/probe.js';
import { anonymousFiles } from './anonymous-files.js';
import { containersStorage } from './containers-storage.js';
import { erofs } from './erofs.js';
import { fsVerity } from './fs-verity.js';
import { fuse } from './fuse.js';
import { kernel } from './kernel.js';
import { koffi } from './koffi.js';
import { node } from './node.js';
import { overlay } from './overlay.js';
import { privileges } from './privileges.js';
import { reflink } from './reflink.js';
import { repository } from './repository.js';
import { resources } from './resources.js';
import { rootlessOverlay } from './rootless-overlay.js';
import { skopeo } from './skopeo.js';
import { subordinateIds, userNamespaces } from './user-namespaces.js';
import { zstd } from './zstd.js';

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
  skopeo,
  containersStorage,
];
