import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import { withRoot } from '../directory/root.js';
import { inferMetadata } from './infer-metadata.js';
import { readMetadata } from './metadata-file.js';

/** The algorithm of a repository that is not open yet (spec 10 §7.7, §8.7). */

/** The algorithm of `<path>/meta.json`; undefined if there is no such file. A missing directory is an error. */
export function readRepoAlgorithm(path: string): HashAlgorithm | undefined {
  return withRoot(path, {}, (root) => readMetadata(root)?.algorithm);
}

/**
 * The algorithm of a repository without `meta.json`, by the name of an object.
 *
 * @throws ComposefsError `NO_OBJECTS`
 */
export function inferRepoAlgorithm(path: string): HashAlgorithm {
  return withRoot(path, {}, (root) => inferMetadata(root).algorithm);
}
