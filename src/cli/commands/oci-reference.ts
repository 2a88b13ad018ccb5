import { parseObjectId, type ReadableRepository } from '../../composefs/index.js';
import { ComposefsError, withContext } from '../../errors.js';
import { isDigestText, type NamedConfig, type OciDigest, parseOciDigest, resolveConfig } from '../../index.js';
import { parseArgumentValue } from '../context/usage-error.js';

/**
 * Refuses what begins with `@` and is no digest, before a repository is opened (spec 70 B6).
 *
 * @param name of the argument.
 */
export function checkReference(name: string, text: string): void {
  if (text.startsWith('@') && !isDigestText(text)) parseArgumentValue(name, text, () => parseDigestAfterAt(text));
}

function parseDigestAfterAt(text: string): OciDigest {
  try {
    return parseOciDigest(text.slice(1));
  } catch (cause) {
    throw new ComposefsError('INVALID_DIGEST', "Invalid OCI digest after '@'", { cause });
  }
}

/** {@link resolveConfig} of two arguments; `configVerity` is hex. */
export async function findConfigOf(
  repo: ReadableRepository,
  text: string,
  configVerity: string | undefined,
): Promise<NamedConfig> {
  const given =
    configVerity === undefined
      ? undefined
      : withContext('Parsing CONFIG_VERITY', () => parseObjectId(repo.algorithm, configVerity));
  return await resolveConfig(repo, text, { configVerity: given });
}
