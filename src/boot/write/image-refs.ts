/**
 * References to images that machines boot: `images/refs/boot/<entry>` for each entry that was written, so that collecting
 * garbage leaves what an entry names, whatever becomes of the image's tags.
 */

import { createHash } from 'node:crypto';
import type { ByteString } from '../../bytes/byte-string.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { NAME_MAX } from '../../linux/constants.js';
import { listInstalledEntries } from './boot-partition.js';

const PREFIX = 'boot';
/** While an entry is written the old image of that name and the new one are both needed. */
const PENDING = '.new';

/**
 * Runs what writes an entry; before that the image has a reference, and after it the entry's own. If it fails, the
 * reference of the old entry is as it was.
 *
 * @param entry path of the entry on its boot partition.
 */
export async function keepBootImage<T>(
  repo: Repository,
  entry: ByteString,
  id: ObjectId,
  write: () => Promise<T> | T,
): Promise<T> {
  const ref = refOf(entry);
  await setRef(repo, `${ref}${PENDING}`, id);
  try {
    const result = await write();
    await setRef(repo, ref, id);
    return result;
  } finally {
    await removeRef(repo, `${ref}${PENDING}`);
  }
}

/** Removes the reference of an entry that was removed, if it has one. */
export async function releaseBootImage(repo: Repository, entry: ByteString): Promise<void> {
  const ref = refOf(entry);
  if (repo.root.lstat(`images/refs/${ref}`) !== undefined) await removeRef(repo, ref);
}

/**
 * Removes the references of entries that are not on the boot partition any more, or in a dry run only finds them.
 *
 * @returns the entries' names.
 */
export async function releaseBootImages(
  repo: Repository,
  bootPartition: string,
  options: { readonly bootSubdir?: string | undefined; readonly dryRun?: boolean | undefined } = {},
): Promise<string[]> {
  const needed = new Set(listInstalledEntries(bootPartition, options.bootSubdir).map(({ path }) => refOf(path)));
  const gone = repo
    .listImageRefs(PREFIX)
    .map(([name]) => name)
    .filter((name) => !needed.has(`${PREFIX}/${name}`));
  if (options.dryRun !== true) for (const name of gone) await removeRef(repo, `${PREFIX}/${name}`);
  return gone;
}

/**
 * By the entry's name, of which every byte that could be trouble in a name or a listing is written as `%2F`; a name that
 * is too long then is told by its hash.
 */
function refOf(entry: ByteString): string {
  const name = entry.slice(entry.lastIndexOf('/') + 1);
  const encoded = name.replace(/[^A-Za-z0-9._+:-]|^\./g, (byte) => `%${hexDigits(byte.charCodeAt(0))}`);
  const isLong = encoded.length + PENDING.length > NAME_MAX;
  return `${PREFIX}/${isLong ? `sha256-${createHash('sha256').update(name, 'latin1').digest('hex')}` : encoded}`;
}

function hexDigits(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0');
}

async function setRef(repo: Repository, ref: string, id: ObjectId): Promise<void> {
  repo.symlink(`images/refs/${ref}`, `images/${id}`);
  await repo.sync();
}

async function removeRef(repo: Repository, ref: string): Promise<void> {
  repo.root.unlink(`images/refs/${ref}`);
  await repo.sync();
}
