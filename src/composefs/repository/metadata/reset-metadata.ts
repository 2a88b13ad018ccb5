import { type ByteString, byteStringToBuffer } from '../../../bytes/byte-string.js';
import { isErrno } from '../../../fs/files.js';
import { type RepositoryRoot, withRoot } from '../directory/root.js';
import { ensureWritable } from '../directory/writable.js';
import { METADATA_FILENAME } from './metadata.js';

/**
 * Removes `streams/`, `images/` and `meta.json`, and keeps the objects (spec 10 §8.8). Takes no lock: nobody may have
 * the repository open. After a change of the algorithm the old objects have to be removed by hand. Does nothing where
 * there is no such directory.
 *
 * @throws NotWritableError
 */
export function resetMetadata(path: string, options: { readonly allowForeignOwner?: boolean | undefined } = {}): void {
  try {
    withRoot(path, options, (root) => {
      ensureWritable(root);
      for (const name of ['streams', 'images', METADATA_FILENAME]) remove(root, Buffer.from(name));
    });
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Of a symlink the link itself. */
function remove(root: RepositoryRoot, path: Buffer): void {
  const stat = root.lstat(path);
  if (stat === undefined) return;
  if (!stat.isDirectory()) {
    root.unlink(path);
    return;
  }
  for (const { name } of root.list(path) ?? []) {
    remove(root, Buffer.concat([path, byteStringToBuffer(`/${name}` as ByteString)]));
  }
  root.removeDirectory(path);
}
