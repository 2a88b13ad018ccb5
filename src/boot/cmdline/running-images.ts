import { readFileSync } from 'node:fs';
import type { HashAlgorithm } from '../../composefs/fsverity/algorithm.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { type ImageArgument, imageArguments } from './composefs-argument.js';

/**
 * The images that the command line of the running kernel names: this machine runs from one of them, unless it booted
 * something else. None where the command line cannot be read, or names something else by the same keys.
 */
export function runningImages(): ImageArgument[] {
  try {
    return imageArguments(readFileSync('/proc/cmdline', 'utf8').trimEnd());
  } catch {
    return [];
  }
}

/**
 * What a collection of garbage must keep on this machine, whatever has become of its names: the images by which it runs, or
 * it would lose the ground under its feet. For the `roots` of `Repository.gc()`.
 *
 * @param algorithm of the repository; images of another are not in it.
 */
export function runningRoots(algorithm: HashAlgorithm): ObjectId[] {
  return runningImages().flatMap((image) => (image.algorithm === algorithm ? image.digest : []));
}
