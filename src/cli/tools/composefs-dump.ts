import { closeSync, openSync } from 'node:fs';
import { COMPOSEFS_HEADER_SIZE, COMPOSEFS_MAGIC, HEADER_VERSION } from '../../composefs/erofs/format/constants.js';
import { decodeHeader } from '../../composefs/erofs/format/header.js';
import { writeErofs } from '../../composefs/erofs/writer/write.js';
import type { FormatVersion } from '../../composefs/index.js';
import { ComposefsError } from '../../errors.js';
import { loadImage, readImageFile } from './read-image.js';
import { writeAll } from './stdio.js';
import { failuresOf, ToolFailure } from './tool-failure.js';

const TOOL = 'composefs-dump';
const USAGE = `usage: ${TOOL} SRC DEST\n`;
const { err, errx } = failuresOf(TOOL);

/**
 * `composefs-dump SRC DEST`: reads an image and writes it again, in the version that it has (spec 70 D3). What this
 * software or the C tools wrote comes out as it was.
 *
 * @throws ToolFailure
 */
export function composefsDump([source, destination]: readonly string[]): number {
  if (source === undefined) throw new ToolFailure(`No source path specified\n${USAGE}`);
  if (destination === undefined) throw new ToolFailure(`No destination path specified\n${USAGE}`);
  const bytes = readImageFile(TOOL, source, 'Failed to get image version', true);
  const version = imageVersion(source, bytes);
  const { root } = loadImage(TOOL, source, bytes);
  const output = openOutput(destination);
  try {
    if (version > 1) throw new ComposefsError('EINVAL', 'Invalid argument');
    writeAll(
      output,
      writeErofs(root, { version: version as FormatVersion, algorithm: 'sha256', dialect: 'mkcomposefs' }),
    );
    closeSync(output);
  } catch (error) {
    throw err('cannot write file', error);
  }
  return 0;
}

function imageVersion(path: string, bytes: Buffer): number {
  const header = bytes.length < COMPOSEFS_HEADER_SIZE ? undefined : decodeHeader(bytes);
  if (header?.magic === COMPOSEFS_MAGIC && header.version === HEADER_VERSION) return header.composefsVersion;
  throw errx(`Failed to get image version '${path}': Invalid argument`);
}

function openOutput(path: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw err(`failed to open '${path}'`, error);
  }
}
