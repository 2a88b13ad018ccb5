import { closeSync, fstatSync, openSync } from 'node:fs';
import { printable } from '../../bytes/printable.js';
import { type CReadOptions, type CTree, readCTree } from '../../composefs/mkcomposefs/index.js';
import { ComposefsError, fullMessage } from '../../errors.js';
import { readAll } from './stdio.js';
import { failuresOf, ToolFailure } from './tool-failure.js';

/**
 * The bytes of an image file, of what can be mapped into memory.
 *
 * @param doing what fails if the file can be opened and not mapped: `Failed to load`.
 * @param mapsHeader whether the C tool first maps a header, whatever the size: then what is no file is no device (ENODEV),
 *   else it is as bad as an empty one (EINVAL).
 * @throws ToolFailure
 */
export function readImageFile(tool: string, path: string, doing: string, mapsHeader = false): Buffer {
  const { err } = failuresOf(tool);
  const fd = opened(tool, path);
  try {
    const stats = fstatSync(fd);
    if (stats.isDirectory() || (mapsHeader && !stats.isFile())) {
      throw new ComposefsError('ENODEV', 'No such device');
    }
    if (stats.size === 0) throw new ComposefsError('EINVAL', 'Invalid argument');
    return readAll(fd);
  } catch (error) {
    throw err(`${doing} '${path}'`, error);
  } finally {
    closeSync(fd);
  }
}

/** @throws ToolFailure */
export function loadImage(tool: string, path: string, bytes: Buffer, options: CReadOptions = {}): CTree {
  try {
    return readCTree(bytes, options);
  } catch (error) {
    if (!(error instanceof ComposefsError)) throw error;
    const { err } = failuresOf(tool);
    if (error.code !== 'INVALID_IMAGE') throw err(`Failed to load '${path}'`, error);
    // The C tools say no more than the first line.
    throw new ToolFailure(
      `${tool}: Failed to load '${path}': Invalid argument\n${tool}: ${printable(fullMessage(error))}\n`,
    );
  }
}

/** @throws ToolFailure */
export function opened(tool: string, path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw failuresOf(tool).err(`Failed to open '${path}'`, error);
  }
}
