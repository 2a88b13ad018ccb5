import { ComposefsError } from '../../errors.js';
import { loadLibc } from '../../linux/ffi.js';
import { missing, ok } from '../probe/finding.js';
import { reasonOf } from '../probe/kernel-support.js';
import type { Probe } from '../probe/probe.js';

export const koffi: Probe = {
  check: 'koffi',
  title: 'System calls',
  run() {
    try {
      loadLibc();
      return ok(`koffi has a build for ${process.arch}`);
    } catch (error) {
      const detail = `${reasonOf(error)}; without them no mounts and no fs-verity, but insecure repositories work`;
      return missing(detail, error instanceof ComposefsError ? error.hint : undefined);
    }
  },
};
