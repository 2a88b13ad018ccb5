import type { ReadableRepository } from '../../composefs/index.js';
import { ContextError, errorCode } from '../../errors.js';
import { findStream } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

const STREAM_HINT =
  'a stream is named as in streams/ of the repository, or by the digest of the manifest, config, layer or blob in it';

export async function cat(context: Context, name: string): Promise<void> {
  await withRepository(context, async (repo) => {
    const stream = findName(repo, name);
    try {
      await context.output.bytes(repo.mergeSplitstream(stream));
    } catch (cause) {
      const hint = errorCode(cause) === 'ENOENT' ? STREAM_HINT : undefined;
      throw new ContextError(`Merging splitstream '${name}'`, cause, hint);
    }
  });
}

/** The name of a stream as it is; else the one that has the digest, or its first digits, in its name. */
function findName(repo: ReadableRepository, text: string): string {
  const found = findStream(repo, text);
  return found === undefined || repo.hasStream(text) !== undefined ? text : found;
}
