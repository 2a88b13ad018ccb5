import { fsync, lstatSync, write } from 'node:fs';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import { ComposefsError } from '../../errors.js';
import { openUnlinked, temporaryDirectory } from '../../fs/spool.js';
import { StagedFile, StagingArea } from '../../fs/staged-file.js';
import { syncDirectory } from '../../fs/sync-file-system.js';
import type { Content } from './outgoing-content.js';

const writeAsync = promisify(write);
const fsyncAsync = promisify(fsync);

/** A file without a name, for what goes nowhere that has a place for files. */
export function temporaryFile(): StagedFile {
  return new StagedFile(openUnlinked(temporaryDirectory()), undefined);
}

export interface WriteFileOptions {
  /** Whether a file that is there is replaced. */
  readonly replace?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws ComposefsError `EEXIST` for what may not be replaced. */
export function requireFree(path: string, { replace }: WriteFileOptions): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || (replace === true && stat.isFile())) return;
  const hint = stat.isFile() ? 'remove it first, or replace it with --force' : 'only a file can be replaced by a file';
  throw new ComposefsError('EEXIST', `${path} exists already`, { hint });
}

/** Files that are written where another will be: on the same file system. */
export function stagingBeside(path: string): StagingArea {
  return new StagingArea((action) => action(dirname(path)), `.${basename(path).slice(0, 100)}.tmp-`);
}

/**
 * Writes a file, which gets its name when all of it is on disk. After a failure there is nothing.
 *
 * @returns its size.
 * @throws ComposefsError `EEXIST`
 */
export async function writeWholeFile(path: string, content: Content, options: WriteFileOptions = {}): Promise<number> {
  requireFree(path, options);
  const area = stagingBeside(path);
  const file = area.create(0o644);
  let size = 0;
  try {
    for await (const chunk of content) {
      options.signal?.throwIfAborted();
      for (let offset = 0; offset < chunk.length; ) {
        offset += (await writeAsync(file.fd, chunk, offset, chunk.length - offset, null)).bytesWritten;
      }
      size += chunk.length;
    }
    await fsyncAsync(file.fd);
    if (!file.place(path)) {
      requireFree(path, options);
      file.replace(path, area);
    }
  } finally {
    file.discard();
  }
  syncDirectory(dirname(path));
  return size;
}
