import { lstatSync } from 'node:fs';
import { posix } from 'node:path';
import { ComposefsError } from '../../errors.js';
import type { Context } from '../context/context.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { warn } from '../terminal/warning.js';
import { type ImageFilesOptions, withImageFiles } from './image-files.js';

export interface OciExtractOptions extends ImageFilesOptions {
  readonly noOwners?: boolean;
  readonly noXattrs?: boolean;
  readonly json?: boolean;
}

/** Writes a file or a directory of an image to `destination`; into it if that is a directory, as cp does. */
export async function ociExtract(
  context: Context,
  image: string,
  path: string,
  destination: string,
  options: OciExtractOptions,
): Promise<void> {
  await withImageFiles(context, image, options, async (files) => {
    const target = isDirectory(destination)
      ? posix.join(destination, nameFor(await files.realpath(path), path))
      : destination;
    const how = { owners: options.noOwners === true ? false : undefined, xattrs: options.noXattrs !== true };
    const result = await withDelayedProgress(
      (running) => files.extract(path, target, { ...how, ...running }),
      'nothing is left of what was extracted',
    );
    const { entries, bytes, skippedXattrs, skippedDevices } = result;
    if (options.json) {
      const skipped = { skipped_xattrs: skippedXattrs, skipped_devices: skippedDevices };
      return await context.output.json({ destination: target, entries, bytes, ...skipped });
    }
    await context.output.line(
      `Extracted ${entries} ${entries === 1 ? 'entry' : 'entries'}, ${bytes} bytes, to ${target}`,
    );
    if (skippedXattrs > 0)
      warn(
        `${skippedXattrs} extended ${skippedXattrs === 1 ? 'attribute' : 'attributes'} could not be set: it takes root, and a file system that has them`,
      );
    if (skippedDevices > 0)
      warn(`${skippedDevices} ${skippedDevices === 1 ? 'device' : 'devices'} could not be made: it takes root`);
  });
}

function nameFor(realPath: string, path: string): string {
  const given = posix.basename(path);
  const name = given === '' || given === '.' || given === '..' ? posix.basename(realPath) : given;
  if (name !== '') return name;
  throw new ComposefsError('INVALID_ARGUMENT', 'the root of an image has no name of its own', {
    hint: 'give a destination that does not exist yet',
  });
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
