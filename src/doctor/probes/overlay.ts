import { limited, missing, ok } from '../probe/finding.js';
import { fileSystemSupport, mayMountForReal } from '../probe/kernel-support.js';
import { whyNoOverlay } from '../probe/overlay-attempt.js';
import type { Probe } from '../probe/probe.js';

const COMPOSEFS = { metacopy: 'on', redirect_dir: 'on' };

export const overlay: Probe = {
  check: 'overlayfs',
  title: 'overlayfs',
  needsSystemCalls: true,
  run() {
    const support = fileSystemSupport('overlay');
    if (support === 'absent')
      return missing('the kernel does not have it', 'a kernel with CONFIG_OVERLAY_FS; or use FUSE');
    if (!mayMountForReal()) return limited(`the kernel has it (${support}); images with it need root`, 'use FUSE');
    const plain = whyNoOverlay({ options: COMPOSEFS });
    if (plain !== undefined) return missing(plain, 'use FUSE');
    const data = whyNoOverlay({ dataLayer: true, options: COMPOSEFS });
    if (data !== undefined) return missing(`no data-only layers: ${data}`, 'Linux 6.5 or newer; or use FUSE');
    const verity = whyNoOverlay({ dataLayer: true, options: { ...COMPOSEFS, verity: 'require' } });
    if (verity !== undefined)
      return limited(`data-only layers, but no verity=require: ${verity}`, 'Linux 6.6 or newer');
    return ok('data-only layers, metacopy, redirect_dir, verity=require');
  },
};
