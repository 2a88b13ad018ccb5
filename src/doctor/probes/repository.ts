import { accessSync, constants } from 'node:fs';
import { formatAlgorithm } from '../../composefs/fsverity/algorithm.js';
import { withRoot } from '../../composefs/repository/directory/root.js';
import { readMetadataFile } from '../../composefs/repository/metadata/metadata-file.js';
import { errorCode, fullMessage } from '../../errors.js';
import { limited, missing, type Outcome, ok } from '../probe/finding.js';
import { reasonOf } from '../probe/kernel-support.js';
import type { Probe } from '../probe/probe.js';
import { tryVerity } from './file-system.js';

export const repository: Probe = {
  check: 'repository',
  title: 'Repository',
  run({ repository: path, directory }) {
    try {
      const stored = withRoot(path, {}, (root) => readMetadataFile(root));
      if (stored === undefined) return absent(path, directory);
      const { metadata, hasVerity } = stored;
      const detail = `${path}: ${formatAlgorithm(metadata.algorithm)}, fs-verity ${hasVerity ? '' : 'not '}required`;
      return mayWrite(path) ? ok(detail) : limited(`${detail}; this user may not write to it`);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return absent(path, directory);
      const reason = errorCode(error) === 'FFI_UNAVAILABLE' ? reasonOf(error) : fullMessage(error);
      return limited(`${path}: ${reason}`);
    }
  },
};

/** @param directory the nearest that there is. */
function absent(path: string, directory: string): Outcome {
  const insecure = lacksVerity(directory) ? ' --insecure' : '';
  return missing(`there is none at ${path}`, `cfsctl --repo ${path} init${insecure}`);
}

/** Where it cannot be tried, nothing is known to be lacking. */
function lacksVerity(directory: string): boolean {
  try {
    return tryVerity(directory).state === 'missing';
  } catch {
    return false;
  }
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
