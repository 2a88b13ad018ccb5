import assert from 'node:assert/strict';
import { errorChain } from '../../../src/errors.js';
import { type Platform, parsePlatform } from '../../../src/oci/model/platform.js';
import type { ImageSource } from '../../../src/oci/sources/image-source.js';
import { rejectionOf } from '../../support/failures.js';
import type { TestImage } from '../../support/oci-fixtures.js';
import { openSource } from '../../support/open-source.js';

export const amd64: Platform = parsePlatform('linux/amd64');
/** Opens an image, of an index that for {@link amd64}. */
export const open = (reference: string): Promise<ImageSource> => openSource(reference, { platform: amd64 });

/** Resolves the manifest of a reference and returns the chain of error messages. */
export async function failure(reference: string): Promise<string[]> {
  return errorChain(await rejectionOf(open(reference).then((source) => source.manifest())));
}

/** Checks which manifest a reference leads to. */
export async function resolvesTo(reference: string, image: TestImage): Promise<void> {
  const source = await open(reference);
  const manifest = await source.manifest();
  assert.equal(manifest.digest, image.manifest.descriptor.digest);
  assert.deepEqual(manifest.raw, image.manifest.bytes);
}

/** What errors of {@link failure} begin with where the image of an index is looked for. */
export const RESOLVING = 'Resolving manifest for platform';
