import type { SparseFile } from '../../tar/sparse.js';

/** `size` bytes at `offset` of the regular file `path`, which is absolute. Nothing of the content is checked yet. */
export interface FileLocation {
  readonly kind: 'file';
  readonly path: string;
  readonly offset: number;
  readonly size: number;
  /** A sparse member of an archive: the file holds the data of its regions only, `size` counts the holes. */
  readonly sparse?: SparseFile;
  /** Given: the blob is what these bytes decompress to. */
  readonly compression?: 'gzip' | 'zstd';
}
