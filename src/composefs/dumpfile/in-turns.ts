import { runInTurns } from '../../threads/turns.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { Directory } from '../tree/inode.js';
import { dumpfileSteps } from './parser.js';

/**
 * What the faces have of dumpfiles: the tree that one describes, read in turns.
 *
 * @throws DumpfileError or another ComposefsError: strictly what the reference refuses too, and numbers beyond 2^53 - 1.
 */
export async function parseDumpfile(
  bytes: Uint8Array,
  algorithm: HashAlgorithm,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Directory> {
  return await runInTurns(dumpfileSteps(bytes, algorithm), options.signal);
}
