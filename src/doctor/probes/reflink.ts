import { writeSync } from 'node:fs';
import { ficlone } from '../../linux/clone.js';
import { isSystemError } from '../../linux/errno.js';
import { limited, missing, ok } from '../probe/finding.js';
import { reasonOf } from '../probe/kernel-support.js';
import type { Probe } from '../probe/probe.js';
import { withScratch } from '../probe/scratch.js';

export const reflink: Probe = {
  check: 'reflink',
  title: 'Reflinks',
  needsSystemCalls: true,
  run({ directory }) {
    try {
      return withScratch(directory, (source) =>
        withScratch(directory, (copy) => {
          writeSync(source, Buffer.alloc(4096, 1));
          ficlone(copy, source);
          return ok(`works in ${directory}: imported files share their blocks`);
        }),
      );
    } catch (error) {
      if (!isSystemError(error, 'EOPNOTSUPP', 'ENOTTY', 'EINVAL')) return limited(`not tried: ${reasonOf(error)}`);
      return missing(
        `the file system of ${directory} has none: imported files are copied`,
        'btrfs and XFS have them; pulls from registries do not need them',
      );
    }
  },
};
