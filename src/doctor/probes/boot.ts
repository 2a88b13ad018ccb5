import { accessSync, constants, existsSync } from 'node:fs';
import { runningImages } from '../../boot/cmdline/running-images.js';
import { listInstalledEntries } from '../../boot/write/boot-partition.js';
import { isErrno } from '../../fs/files.js';
import { findProgram } from '../../linux/find-program.js';
import { limited, missing, ok } from '../probe/finding.js';
import type { Probe } from '../probe/probe.js';

const BOOT_PARTITION = '/boot';

/** What makes an initramfs, into which composefs-setup-root goes. */
const INITRAMFS_PROGRAMS = ['dracut', 'mkinitramfs', 'mkinitcpio'];

/** What installing an image to boot from would find here; the kernel mounts have checks of their own. */
export const boot: Probe = {
  check: 'boot',
  title: 'Booting',
  run() {
    const facts = [runningImage(), firmware(), initramfs()].filter((fact) => fact !== undefined);
    const describe = (partition: string): string => [partition, ...facts].join('; ');
    try {
      accessSync(BOOT_PARTITION, constants.R_OK | constants.X_OK);
    } catch (error) {
      const why = isErrno(error, 'ENOENT') ? `there is no ${BOOT_PARTITION}` : `${BOOT_PARTITION} cannot be read`;
      return missing(describe(why), 'mount the boot partition, or name it: cfsctl oci prepare-boot --bootdir');
    }
    const entries = listInstalledEntries(BOOT_PARTITION);
    const images = entries.filter((entry) => entry.images.length > 0).length;
    const partition = `${BOOT_PARTITION} has ${count(entries.length, 'boot entry', 'boot entries')}, ${images} of images`;
    if (isWritable(BOOT_PARTITION)) return ok(describe(partition));
    return limited(describe(`${partition}; this user may not write to it`), 'root writes boot entries');
  },
};

function runningImage(): string | undefined {
  const [image] = runningImages();
  return image === undefined ? undefined : `started for the image ${image.digest.slice(0, 12)}`;
}

function firmware(): string {
  return existsSync('/sys/firmware/efi') ? 'EFI: entries and UKIs' : 'no EFI: entries, no UKIs';
}

function initramfs(): string {
  const found = INITRAMFS_PROGRAMS.filter((name) => findProgram(name) !== undefined);
  return found.length === 0 ? 'no program that makes an initramfs' : `initramfs by ${found.join(', ')}`;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
