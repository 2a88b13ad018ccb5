import { ComposefsError } from '../../../errors.js';
import { formatAlgorithm, type HashAlgorithm } from '../../fsverity/algorithm.js';
import type { RepositoryRoot } from '../directory/root.js';
import { ensureWritable } from '../directory/writable.js';
import { inferMetadata } from './infer-metadata.js';
import { newMetadata } from './metadata.js';
import { writeMetadata } from './metadata-file.js';

/**
 * Writes the `meta.json` that a repository from before it lacks (spec 10 §8.5). Nothing else is touched.
 *
 * The file says V1, as the reference writes it, although the images that are there have format V2: they stay what they
 * are, and new ones are made in V1.
 *
 * @param expected refuses objects of another algorithm.
 */
export function writeMissingMetadata(root: RepositoryRoot, expected?: HashAlgorithm): void {
  ensureWritable(root);
  const { algorithm, hasVerity } = inferMetadata(root);
  if (expected !== undefined && algorithm !== expected) {
    throw new ComposefsError(
      'ALGORITHM_MISMATCH',
      `inferred algorithm ${formatAlgorithm(algorithm)} is not compatible with this repository type ` +
        `(expected ${formatAlgorithm(expected)})`,
    );
  }
  writeMetadata(root, newMetadata(algorithm), hasVerity);
}
