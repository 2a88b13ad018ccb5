import { deviceNumbers, type ImageStats } from '../../composefs/index.js';

/** A file of an image, to be shown. */
export interface ShownFile {
  readonly name: string;
  readonly stats: ImageStats;
  /** Of a symlink. */
  readonly target: string | undefined;
}

/** Lines as those of `ls -l`, with numbers for owners, and times in UTC. Columns are as wide as they need to be. */
export function longLines(files: readonly ShownFile[]): string[] {
  const rows = files.map((file) => [...columnsOf(file.stats), nameOf(file)]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join(' '));
}

function columnsOf(stats: ImageStats): string[] {
  const size = stats.isBlockDevice() || stats.isCharacterDevice() ? deviceText(stats.rdev) : String(stats.size);
  return [modeText(stats), String(stats.nlink), String(stats.uid), String(stats.gid), size, timeText(stats)];
}

function nameOf({ name, target }: ShownFile): string {
  return target === undefined ? name : `${name} -> ${target}`;
}

/** `drwxr-xr-x` */
function modeText(stats: ImageStats): string {
  const { mode } = stats;
  const bits = [...'rwxrwxrwx'].map((letter, index) => ((mode >> (8 - index)) & 1 ? letter : '-'));
  const special = [
    [0o4000, 2, 's', 'S'],
    [0o2000, 5, 's', 'S'],
    [0o1000, 8, 't', 'T'],
  ] as const;
  for (const [bit, place, withX, without] of special) {
    if ((mode & bit) !== 0) bits[place] = bits[place] === 'x' ? withX : without;
  }
  return typeLetter(stats) + bits.join('');
}

function typeLetter(stats: ImageStats): string {
  if (stats.isDirectory()) return 'd';
  if (stats.isSymbolicLink()) return 'l';
  if (stats.isBlockDevice()) return 'b';
  if (stats.isCharacterDevice()) return 'c';
  if (stats.isFIFO()) return 'p';
  return stats.isSocket() ? 's' : '-';
}

/** `YYYY-MM-DD hh:mm`; beyond what a date can be, the seconds. */
function timeText({ mtime, mtimeSec }: ImageStats): string {
  return Number.isNaN(mtime.getTime()) ? `@${mtimeSec}` : mtime.toISOString().replace('T', ' ').slice(0, -8);
}

/** Major and minor number of an encoding of 32 bits (`new_decode_dev` of linux/kdev_t.h). */
export function deviceText(rdev: number): string {
  const { major, minor } = deviceNumbers(rdev);
  return `${major},${minor}`;
}

/** What `--json` prints of a file. */
export function describeFile({ path, stats, target }: ShownFile & { readonly path: string }): Record<string, unknown> {
  const { uid, gid, nlink, size, mtimeSec, mtimeNsec, rdev, object } = stats;
  const isDevice = stats.isBlockDevice() || stats.isCharacterDevice();
  return {
    path,
    type: typeName(stats),
    mode: (stats.mode & 0o7777).toString(8).padStart(4, '0'),
    uid,
    gid,
    nlink,
    size,
    mtime: `${mtimeSec}.${String(mtimeNsec).padStart(9, '0')}`,
    ...(isDevice && { rdev }),
    ...(target !== undefined && { target }),
    ...(object !== undefined && { object }),
  };
}

function typeName(stats: ImageStats): string {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isBlockDevice()) return 'block-device';
  if (stats.isCharacterDevice()) return 'character-device';
  return stats.isFIFO() ? 'fifo' : 'socket';
}
