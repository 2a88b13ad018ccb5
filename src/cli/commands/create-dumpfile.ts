import { writeDumpfile } from '../../composefs/dumpfile/writer.js';
import type { Context } from '../context/context.js';
import { settingsWithoutRepository } from '../context/open-repository.js';
import type { FileSystemOptions } from '../context/options.js';
import { withoutEnds } from '../terminal/output.js';
import { readTree } from './read-tree.js';

export async function createDumpfile(context: Context, path: string, options: FileSystemOptions): Promise<void> {
  const { algorithm } = settingsWithoutRepository(context.globals);
  await context.output.lines(withoutEnds(writeDumpfile(await readTree(path, options, { kind: 'none', algorithm }))));
}
