import { computeImageId, dumpfilePieces, formatAlgorithm, formatObjectId } from '../../composefs/index.js';
import type { Context } from '../context/context.js';
import { settingsWithoutRepository, withRepository } from '../context/open-repository.js';
import type { FileSystemOptions } from '../context/options.js';
import { readTree } from './read-tree.js';

/** Verbs that make something of a directory: an image, its id, a dumpfile. */

export interface CreateImageOptions extends FileSystemOptions {
  readonly json?: boolean;
}

export async function createImage(
  context: Context,
  path: string,
  name: string | undefined,
  options: CreateImageOptions,
): Promise<void> {
  await withRepository(context, async (repo) => {
    repo.ensureWritable();
    const id = await repo.hold(async () => {
      const destination = { kind: 'repository', objects: repo.objects } as const;
      return await repo.commitImage(await readTree(path, options, destination), name);
    });
    await repo.sync();
    if (options.json) await context.output.json({ id, algorithm: formatAlgorithm(repo.algorithm), name: name ?? null });
    else await context.output.line(formatObjectId(repo.algorithm, id));
  });
}

export async function computeId(context: Context, path: string, options: CreateImageOptions): Promise<void> {
  const { algorithm, version } = settingsWithoutRepository(context.globals);
  const root = await readTree(path, options, { kind: 'none', algorithm });
  const id = await computeImageId(root, version, algorithm);
  if (options.json) await context.output.json({ id, algorithm: formatAlgorithm(algorithm) });
  else await context.output.line(id);
}

export async function createDumpfile(context: Context, path: string, options: FileSystemOptions): Promise<void> {
  const { algorithm } = settingsWithoutRepository(context.globals);
  await context.output.text(dumpfilePieces(await readTree(path, options, { kind: 'none', algorithm })));
}
