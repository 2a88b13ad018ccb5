import { constants, openSync } from 'node:fs';
import { byteStringToBuffer } from '../../bytes/byte-string.js';
import { ComposefsError, withContext } from '../../errors.js';
import { digestSize, HASH_ALGORITHMS, type HashAlgorithm } from '../fsverity/algorithm.js';
import { hasVerity } from '../fsverity/kernel.js';
import { joinPath, listNames, pathBytes } from './directory-entries.js';
import { withFd } from './files.js';

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
export function inferMetadata(path: string): InferredMetadata {
  const objects = `${path}/objects`;
  const directories = withContext('opening objects/ directory', () => {
    const names = listNames(objects);
    if (names === undefined) throw new ComposefsError('ENOENT', `${objects}: No such file or directory (os error 2)`);
    return names.filter((name) => name.length === 2 && name !== '..');
  });
  for (const directory of directories) {
    for (const name of listNames(`${objects}/${directory}`) ?? []) {
      const algorithm = HASH_ALGORITHMS.find((candidate) => name.length === 2 * (digestSize(candidate) - 1));
      if (algorithm === undefined) continue;
      const file = joinPath(pathBytes(`${objects}/${directory}`), name);
      const fd = openSync(byteStringToBuffer(file), constants.O_RDONLY | constants.O_NONBLOCK);
      return { algorithm, hasVerity: withFd(fd, () => hasVerity(fd, algorithm)) };
    }
  }
  throw new ComposefsError('NO_OBJECTS', 'no objects found in repository — cannot infer metadata');
}
