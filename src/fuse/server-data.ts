import { ErofsImage } from '../composefs/erofs/reader/image.js';
import { ImageServer } from './image-server.js';
import { ObjectFiles } from './object-files.js';
import { ObjectTable } from './object-table.js';
import type { OverlayXattrMode } from './xattr-names.js';

/** What a thread needs to serve a mount: plain data, and memory that all threads share. */
export interface ServerData {
  readonly deviceFd: number;
  readonly image: SharedArrayBuffer;
  /** Of an {@link ObjectTable}. */
  readonly table: SharedArrayBuffer;
  readonly objectsFd: number;
  readonly verify: boolean;
  readonly overlayXattr: OverlayXattrMode | undefined;
  readonly noOpendir: boolean;
  readonly passthrough: boolean;
  readonly trustedXattrs: boolean;
}

/** @throws ErofsReaderError */
export function imageServer(data: ServerData, hashMax: number): ImageServer {
  const table = new ObjectTable(data.table);
  return new ImageServer({
    image: ErofsImage.open(Buffer.from(data.image)),
    objects: new ObjectFiles(data.objectsFd, table, data.verify),
    overlayXattr: data.overlayXattr,
    noOpendir: data.noOpendir,
    passthrough: data.passthrough ? { deviceFd: data.deviceFd, table } : undefined,
    trustedXattrs: data.trustedXattrs,
    hashMax,
  });
}
