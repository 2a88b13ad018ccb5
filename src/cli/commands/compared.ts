import { statSync } from 'node:fs';
import type { ReadableRepository } from '../../composefs/index.js';
import { ComposefsError } from '../../errors.js';
import { type Compared, findMountable, OciRefNotFound } from '../../index.js';

/** What begins like this is a path, whatever images there are. */
const PATH = /^(?:\/|\.\.?(?:\/|$))/;

/**
 * What a text on the command line names: a directory if it begins as a path does; a stored image, as every verb names
 * it; an EROFS image by its digest or reference; or else the directory of that name.
 *
 * @throws OciRefNotFound; ComposefsError `AMBIGUOUS_IMAGE`, `NOT_A_DIRECTORY`
 */
export async function findCompared(repo: ReadableRepository, text: string): Promise<Compared> {
  if (PATH.test(text)) return { kind: 'directory', path: text };
  try {
    const found = await findMountable(repo, text, 'oci');
    return typeof found === 'string' ? { kind: 'erofs', name: found } : { kind: 'image', image: found };
  } catch (error) {
    if (!(error instanceof OciRefNotFound)) throw error;
    const stat = statSync(text, { throwIfNoEntry: false });
    if (stat?.isDirectory() === true) return { kind: 'directory', path: text };
    if (stat !== undefined) throw new ComposefsError('NOT_A_DIRECTORY', `${text} is neither an image nor a directory`);
    const { hint = '' } = error;
    throw new ComposefsError('OCI_REF_NOT_FOUND', `${text} is neither a stored image nor a directory`, { hint });
  }
}
