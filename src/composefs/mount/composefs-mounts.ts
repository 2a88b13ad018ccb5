import { type ByteString, sliceBytes } from '../../bytes/byte-string.js';
import type { MountInfo } from '../../system/mount-info.js';

/**
 * Whether a mount is one that composefs made: the overlays of `cfsctl` (`composefs:<name>`), of `mount.composefs`
 * (`composefs`) and over FUSE (`composefs-fuse`), and what its FUSE servers serve.
 *
 * A server that was mounted by `fusermount3` without a name for its source shows as `/dev/fuse`, type `fuse`: that is
 * how the reference does it, and other programs may too.
 */
export function isComposefsMount(mount: MountInfo): boolean {
  if (mount.fsType === 'overlay') return isComposefsSource(mount.source);
  return isComposefsFuse(mount);
}

/** Whether a mount is served by a FUSE server of composefs. */
export function isComposefsFuse({ fsType, source }: MountInfo): boolean {
  if (fsType === 'fuse') return isComposefsSource(source) || source === '/dev/fuse';
  return fsType === 'fuse.composefs' || fsType === 'fuse.composefs-fuse';
}

function isComposefsSource(source: ByteString): boolean {
  return source === 'composefs' || source === 'composefs-fuse' || source.startsWith('composefs:');
}

/**
 * The directory in which the tree of an overlay is mounted, if it has a place of its own; undefined if the overlay is
 * the only one to have it, as with all mounts that `cfsctl` makes on a kernel that takes detached layers.
 */
export function imageLayerOf(overlay: MountInfo): ByteString | undefined {
  for (const option of overlay.superOptions) {
    const { key, value } = splitOption(option);
    if (key !== 'lowerdir' && key !== 'lowerdir+') continue;
    const layer = key === 'lowerdir' ? firstLayer(value) : value;
    // A path through the descriptor of the process that mounted says nothing; `/` is what a detached mount shows as.
    return layer.startsWith('/') && layer !== '/' && !layer.startsWith('/proc/') ? layer : undefined;
  }
  return undefined;
}

/** Layers are separated by colons; overlayfs wants a backslash before those in names. */
function firstLayer(lowerdir: ByteString): ByteString {
  const first = /^(?:\\.|[^\\:])*/s.exec(lowerdir)?.[0] ?? '';
  return first.replace(/\\(.)/gs, '$1') as ByteString;
}

function splitOption(option: ByteString): { key: string; value: ByteString } {
  const equals = option.indexOf('=');
  return equals < 0
    ? { key: option, value: '' as ByteString }
    : { key: option.slice(0, equals), value: sliceBytes(option, equals + 1) };
}
