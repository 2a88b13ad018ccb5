import type { ReadableRepository } from '../../composefs/index.js';
import { withContextAsync } from '../../errors.js';
import { findStream } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

export async function cat(context: Context, name: string): Promise<void> {
  await withRepository(context, (repo) => {
    const stream = findName(repo, name);
    return withContextAsync(`Merging splitstream '${name}'`, () => context.output.bytes(repo.mergeSplitstream(stream)));
  });
}

/** The name of a stream as it is; else the one that has the digest, or its first digits, in its name. */
function findName(repo: ReadableRepository, text: string): string {
  const found = findStream(repo, text);
  return found === undefined || repo.hasStream(text) !== undefined ? text : found;
}
