import { accessSync, constants } from 'node:fs';
import { formatAlgorithm } from '../../composefs/fsverity/algorithm.js';
import { withRoot } from '../../composefs/repository/directory/root.js';
import { readMetadataFile } from '../../composefs/repository/metadata/metadata-file.js';
import { errorCode, fullMessage } from '../../errors.js';
import { limited, missing, type Outcome, ok } from '../probe/finding.js';
import { reasonOf } from '../probe/kernel-support.js';
import type { Probe } from '../probe/probe.js';

export const repository: Probe = {
  check: 'repository',
  title: 'Repository',
  run({ repository: path }) {
    try {
      const stored = withRoot(path, {}, (root) => readMetadataFile(root));
      if (stored === undefined) return absent(path);
      const { metadata, hasVerity } = stored;
      const detail = `${path}: ${formatAlgorithm(metadata.algorithm)}, fs-verity ${hasVerity ? '' : 'not '}required`;
      return mayWrite(path) ? ok(detail) : limited(`${detail}; this user may not write to it`);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return absent(path);
      const reason = errorCode(error) === 'FFI_UNAVAILABLE' ? reasonOf(error) : fullMessage(error);
      return limited(`${path}: ${reason}`);
    }
  },
};

function absent(path: string): Outcome {
  return missing(`there is none at ${path}`, `cfsctl --repo ${path} init`);
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
