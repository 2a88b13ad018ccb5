/** What the library does in turns, done at once. */

import { dumpfileSteps } from '../../src/composefs/dumpfile/parser.js';
import type { HashAlgorithm } from '../../src/composefs/fsverity/algorithm.js';
import type { ObjectStore } from '../../src/composefs/repository/objects/object-store.js';
import { FilesystemScan, type ScanOptions } from '../../src/composefs/scan/scan.js';
import type { Directory } from '../../src/composefs/tree/inode.js';
import { type FilesystemOptions, filesystemSteps, type LayerRef } from '../../src/oci/layer/filesystem.js';
import { runSteps } from '../../src/threads/turns.js';

/** The tree that a dumpfile describes. */
export function parseDumpfile(bytes: Uint8Array, algorithm: HashAlgorithm): Directory {
  return runSteps(dumpfileSteps(bytes, algorithm));
}

/** The tree below a directory. */
export function scanDirectory(path: string | Buffer, options: ScanOptions): Directory {
  const scan = new FilesystemScan(path, options, undefined);
  try {
    while (scan.step());
    return scan.root;
  } finally {
    scan.close();
  }
}

/** The tree that layers make, which are not hashed, after the transform for OCI. */
export function buildFilesystem(
  objects: ObjectStore,
  layers: readonly LayerRef[],
  options: FilesystemOptions = {},
): Directory {
  return runSteps(filesystemSteps(objects, layers, true, options));
}
