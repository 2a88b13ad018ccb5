import { makeCmdlineComposefs } from '../../boot/index.js';
import { computeImageId } from '../../composefs/index.js';
import type { Context } from '../context/context.js';
import { settingsWithoutRepository } from '../context/open-repository.js';
import type { FileSystemOptions } from '../context/options.js';
import { readTree } from './read-tree.js';

export type ComputeKargOptions = Pick<FileSystemOptions, 'noPropagateUsrToRoot'>;

/** The kernel argument for the boot image of a directory tree, which is always of the mode `allowlist-only`. */
export async function computeKarg(context: Context, path: string, options: ComputeKargOptions): Promise<void> {
  const { algorithm, version } = settingsWithoutRepository(context.globals);
  const how = { ...options, bootable: true, xattrs: 'allowlist-only' } as const;
  const root = await readTree(path, how, { kind: 'none', algorithm });
  const id = await computeImageId(root, version, algorithm);
  await context.output.line(makeCmdlineComposefs(id, context.globals.insecure === true, version, algorithm));
}
