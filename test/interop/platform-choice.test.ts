import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Descriptor } from '../../src/oci/model/descriptor.js';
import { DOCKER_MANIFEST_LIST, OCI_INDEX, ZSTD_ANNOTATION } from '../../src/oci/model/media-types.js';
import { formatPlatform, parsePlatform } from '../../src/oci/model/platform.js';
import { blob, buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { openSource } from '../support/open-source.js';
import { withTempDir } from '../support/paths.js';
import { skopeo, withoutSkopeo } from '../support/skopeo.js';

/** Which image of a random index is taken: ours and skopeo's answer, wherever skopeo has one. */

const SEED = Number(process.env['COMPOSEFS_TEST_SEED'] ?? 7);
const COUNT = Number(process.env['COMPOSEFS_TEST_INTEROP'] ?? 12);

/** 1.14 has the newer tables: `arm/v8`, any variant of ARM where none is asked for, and Zstandard first. */
async function isNewSkopeo(): Promise<boolean> {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(await skopeo('--version')) ?? [];
  return Number(major) > 1 || Number(minor) >= 18;
}

interface Entry {
  readonly platform: { readonly architecture?: string; readonly os?: string; readonly variant?: string } | undefined;
  readonly isZstd: boolean;
}

function entries(isNew: boolean): fc.Arbitrary<Entry[]> {
  const named = fc.constantFrom(
    'linux/amd64',
    'linux/amd64/v2',
    'linux/amd64/v3',
    'linux/arm/v5',
    'linux/arm/v6',
    'linux/arm/v7',
    ...(isNew ? ['linux/arm/v8'] : []),
    'linux/arm',
    'linux/arm64',
    'linux/arm64/v8',
    'linux/s390x',
    'windows/amd64',
    'unknown/unknown',
  );
  const platform = fc.oneof(
    { weight: 8, arbitrary: named.map(parsePlatform) },
    {
      weight: 1,
      arbitrary: fc.constantFrom({}, { architecture: 'amd64' }, { os: 'linux' }, { os: '', architecture: '' }),
    },
  );
  const entry = fc.record({ platform, isZstd: isNew ? fc.boolean() : fc.constant(false) });
  return fc.array(entry, { minLength: 1, maxLength: 7 });
}

/** A layout with an index of these images, whose authors are their positions. */
function writeIndex(path: string, list: readonly Entry[], mediaType: string): string {
  const layout = new LayoutBuilder();
  const manifests = list.map(({ platform, isZstd }, i) => {
    const image = buildImage([], { config: { author: String(i), ...platform } });
    layout.addBlobs(image);
    const annotations = isZstd ? { annotations: { [ZSTD_ANNOTATION]: 'true' } } : {};
    return { ...image.manifest.descriptor, ...annotations, platform } as Descriptor;
  });
  const index = blob(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })));
  return `oci:${layout.addBlob(index.bytes).addEntry(index.descriptor).write(path)}`;
}

async function ours(reference: string, platform: string): Promise<string> {
  const source = await openSource(reference, { platform: parsePlatform(platform) });
  const { value } = await source.manifest();
  return JSON.parse((await source.readBlob(value.config)).toString()).author;
}

async function theirs(reference: string, platform: string): Promise<string | undefined> {
  const { os, architecture, variant } = parsePlatform(platform);
  const options = ['--override-os', os, '--override-arch', architecture];
  if (variant !== undefined) options.push('--override-variant', variant);
  try {
    return JSON.parse(await skopeo(...options, 'inspect', '--config', reference)).author;
  } catch {
    return undefined;
  }
}

test('the image of an index is the one that skopeo takes', { skip: withoutSkopeo }, async () => {
  const isNew = await isNewSkopeo();
  const wanted = ['amd64', 'amd64/v2', 'arm/v7', 'arm/v6', 'arm/v5', 'arm64', 'arm64/v8', 's390x'];
  if (isNew) wanted.push('arm', 'arm/v8');
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(
      entries(isNew),
      fc.constantFrom(...wanted),
      fc.constantFrom(OCI_INDEX, DOCKER_MANIFEST_LIST),
      async (list, architecture, mediaType) => {
        // Docker's lists have no annotations.
        const known = mediaType === OCI_INDEX ? list : list.map((entry) => ({ ...entry, isZstd: false }));
        await withTempDir(async (directory) => {
          const reference = writeIndex(join(directory, 'layout'), known, mediaType);
          const expected = await theirs(reference, `linux/${architecture}`);
          if (expected === undefined) return;
          const listed = known.map(({ platform = {} }) => formatPlatform({ os: '', architecture: '', ...platform }));
          assert.equal(await ours(reference, `linux/${architecture}`), expected, `linux/${architecture} of ${listed}`);
          compared++;
        });
      },
    ),
    // A few indexes chosen anew each time may all be such that skopeo finds nothing.
    { numRuns: COUNT, seed: SEED },
  );
  assert.ok(compared >= COUNT / 8, `${compared} of ${COUNT} had an answer`);
});
