import type { TransferredError } from '../threads/error-transfer.js';
import type { AttachedMount } from './fuse-mount.js';
import type { ImageSource } from './image-source.js';
import type { OverlayXattrMode } from './xattr-names.js';

/** What the mounting process and the server's process tell each other. */

/** The descriptors that the server inherits, after those of its standard streams and the channel. */
export const DEVICE_FD = 4;
export const IMAGE_FD = 5;
export const OBJECTS_FD = 6;

/** To the server: what to serve, then that it is mounted. If the channel closes before that, it ends. */
export type ToServer =
  | {
      readonly type: 'serve';
      readonly name: string;
      readonly verify: boolean;
      readonly expected: ImageSource['expected'];
      readonly overlayXattr: OverlayXattrMode | undefined;
      readonly passthrough: boolean | undefined;
      readonly threads: number | undefined;
    }
  | { readonly type: 'mounted'; readonly mount: AttachedMount };

/** From the server. When it knows that it is mounted, it closes the channel. */
export type FromServer = { readonly type: 'serving' } | { readonly type: 'failed'; readonly error: TransferredError };
