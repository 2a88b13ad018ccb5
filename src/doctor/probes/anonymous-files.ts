import { closeSync } from 'node:fs';
import { errorCode } from '../../errors.js';
import { limited, missing, ok } from '../probe/finding.js';
import { reasonOf } from '../probe/kernel-support.js';
import type { Probe } from '../probe/probe.js';
import { openAnonymous } from '../probe/scratch.js';

export const anonymousFiles: Probe = {
  check: 'o_tmpfile',
  title: 'O_TMPFILE',
  run({ directory }) {
    try {
      closeSync(openAnonymous(directory));
      return ok(`works in ${directory}`);
    } catch (error) {
      if (errorCode(error) === 'EOPNOTSUPP' || errorCode(error) === 'EISDIR') {
        return missing(`not in ${directory}: named temporary files are used instead`, 'nothing needs to be done');
      }
      return limited(`not tried: ${reasonOf(error)}`);
    }
  },
};
