import { computeImageId } from '../../composefs/repository/index.js';
import type { Context } from '../context/context.js';
import { settingsWithoutRepository } from '../context/open-repository.js';
import type { FileSystemOptions } from '../context/options.js';
import { readTree } from './read-tree.js';

export async function computeId(context: Context, path: string, options: FileSystemOptions): Promise<void> {
  const { algorithm, version } = settingsWithoutRepository(context.globals);
  const root = await readTree(path, options, { kind: 'none', algorithm });
  await context.output.line(computeImageId(root, version, algorithm));
}
