import { type ByteString, byteStringToBuffer } from '../../../bytes/byte-string.js';
import { ComposefsError, withContext } from '../../../errors.js';
import { listNames } from '../../../fs/directory-entries.js';
import { withFd } from '../../../fs/files.js';
import { digestSize, HASH_ALGORITHMS, type HashAlgorithm } from '../../fsverity/algorithm.js';
import { hasVerity } from '../../fsverity/kernel.js';
import type { RepositoryRoot } from '../directory/root.js';
import { OBJECTS } from '../objects/object-directory.js';

/** What an object tells about a repository without `meta.json`. */
export interface InferredMetadata {
  readonly algorithm: HashAlgorithm;
  readonly hasVerity: boolean;
}

/**
 * Looks at the first object, in the order of names, of a repository from before `meta.json` (spec 10 §8.7).
 *
 * @throws ComposefsError `NO_OBJECTS`
 */
export function inferMetadata(root: RepositoryRoot): InferredMetadata {
  const directories = withContext('opening objects/ directory', () =>
    root.within(OBJECTS, listNames).filter((name) => name.length === 2),
  );
  for (const directory of directories) {
    const bytes = byteStringToBuffer(`${OBJECTS}/${directory}` as ByteString);
    for (const name of root.within(bytes, listNames)) {
      const algorithm = HASH_ALGORITHMS.find((candidate) => name.length === 2 * (digestSize(candidate) - 1));
      if (algorithm === undefined) continue;
      const fd = root.openFile(byteStringToBuffer(`${OBJECTS}/${directory}/${name}` as ByteString));
      return { algorithm, hasVerity: withFd(fd, () => hasVerity(fd, algorithm)) };
    }
  }
  throw new ComposefsError('NO_OBJECTS', 'no objects found in repository — cannot infer metadata');
}
