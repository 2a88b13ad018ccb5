export { attachAndClose, mountAt } from './attach.js';
export { composefsFsmount } from './composefs-mount.js';
export { erofsLoopMount, erofsMount } from './erofs-mount.js';
export { Mount } from './mount-handle.js';
export { type MountableRepository, mountImage, mountImageAt } from './mount-image.js';
export type { ErofsMountOptions, MountOptions, MountRestrictions, VerityRequirement } from './options.js';
export { type UnmountOptions, unmountImage } from './unmount.js';
