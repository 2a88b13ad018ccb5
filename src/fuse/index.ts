/** Serving an image over `/dev/fuse`: mounts without privileges, and on kernels without EROFS. */

export { type ServeOptions, serveDevice } from './fuse-service.js';
export type { FuseRepository } from './image-source.js';
export { FuseMount, mountFuse, type ServeFuseOptions, serveFuse } from './mount-fuse.js';
export type { FuseMountOptions } from './mount-plan.js';
export { userOverlaySupported } from './overlay-on-fuse.js';
export type { OverlayXattrMode } from './xattr-names.js';
