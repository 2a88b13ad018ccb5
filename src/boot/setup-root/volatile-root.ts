import { statSync, symlinkSync } from 'node:fs';

/**
 * Tells systemd's generators which device the machine booted from, if the image dissection of systemd-gpt-auto found one
 * (spec 50 §13.3, step 1). Without `/run` or the device there is nothing to tell.
 */
export function linkVolatileRoot(device = '/dev/gpt-auto-root', link = '/run/systemd/volatile-root'): void {
  try {
    const { rdev } = statSync(device);
    symlinkSync(`/dev/block/${major(rdev)}:${minor(rdev)}`, link);
  } catch {
    // Best effort: most machines have no such device, and an existing link is as good.
  }
}

/** Of a `dev_t` as the C library has it. */
function major(rdev: number): number {
  const value = BigInt(rdev);
  return Number(((value >> 8n) & 0xfffn) | ((value >> 32n) & 0xfffff000n));
}

function minor(rdev: number): number {
  const value = BigInt(rdev);
  return Number((value & 0xffn) | ((value >> 12n) & 0xffffff00n));
}
