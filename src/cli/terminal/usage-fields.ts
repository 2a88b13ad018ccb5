import { formatSize } from '../../bytes/format-size.js';
import type { Usage } from '../../composefs/index.js';

/** What `--json` prints of what some files take: `disk` is gone with them, `linked` stays under other names. */
export function describeUsage({ count, bytes, disk, linked }: Usage): Record<string, number> {
  return { count, bytes, disk, ...(linked > 0 && { linked }) };
}

/** How much room on the disk, for a table. @param exact in bytes. */
export function diskText({ disk, linked }: Usage, exact: boolean): string {
  return sizeText(disk + linked, exact);
}

export function sizeText(bytes: number, exact: boolean): string {
  return exact ? String(bytes) : formatSize(bytes);
}
