import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCode, fullMessage } from '../../../src/errors.js';
import type { ImageConfiguration } from '../../../src/oci/model/config.js';
import type { Descriptor } from '../../../src/oci/model/descriptor.js';
import { parseIndex } from '../../../src/oci/model/index-document.js';
import { OCI_INDEX, REF_NAME_ANNOTATION, ZSTD_ANNOTATION } from '../../../src/oci/model/media-types.js';
import { parsePlatform } from '../../../src/oci/model/platform.js';
import { type ResolveOptions, resolveManifest } from '../../../src/oci/sources/resolve.js';
import { blob, buildImage, indexJson, type TestImage } from '../../support/oci-fixtures.js';

/** An entry as it is written: any platform, any media type. */
type Entry = Omit<Descriptor, 'platform'> & { readonly platform?: unknown };

const BLOBS = new Map<string, Buffer>();

/** Tells its images apart by the author. */
function image(author: string, config: Partial<ImageConfiguration> = {}): TestImage {
  const built = buildImage([], { config: { author, ...config } });
  for (const { bytes, descriptor } of [built.manifest, built.config]) BLOBS.set(descriptor.digest, bytes);
  return built;
}

function entry(name: string, platform: unknown, change: Partial<Entry> = {}, config = {}): Entry {
  const { descriptor } = image(name, config).manifest;
  return { ...descriptor, ...(platform !== undefined && { platform }), ...change };
}

function on(platform: string): { architecture: string; os: string; variant?: string } {
  return parsePlatform(platform);
}

/** The author of the image that is chosen, or the error. */
async function chosen(
  entries: readonly unknown[],
  platform = 'linux/amd64',
  options: Omit<ResolveOptions, 'platform'> = {},
): Promise<string> {
  const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: entries }));
  const read = async ({ digest }: Descriptor): Promise<Buffer> => {
    const bytes = BLOBS.get(digest);
    if (bytes === undefined) throw new Error(`read ${digest}`);
    return bytes;
  };
  try {
    const { value } = await resolveManifest(parseIndex(raw).value, read, {
      ...options,
      platform: parsePlatform(platform),
    });
    return JSON.parse((await read(value.config)).toString()).author;
  } catch (error) {
    return `${errorCode(error)}: ${fullMessage(error)}`;
  }
}

const MISSING: Entry = { ...image('missing').manifest.descriptor, digest: `sha256:${'0'.repeat(64)}` as never };

test('plain amd64 is taken although a higher level is listed first', async () => {
  const levels = ['v4', 'v3', 'v2'].map((level) => entry(level, on(`linux/amd64/${level}`)));
  const plain = entry('plain', on('linux/amd64'));
  assert.equal(await chosen([...levels, plain]), 'plain');
  assert.equal(await chosen([...levels, plain], 'linux/amd64/v3'), 'v3');
  assert.equal(await chosen([plain, ...levels], 'linux/amd64/v2'), 'v2');
  assert.equal(await chosen([plain], 'linux/amd64/v3'), 'plain');
  // There is nothing better.
  assert.equal(await chosen(levels), 'v2');
});

test('ARM falls back to lower variants, the best first', async () => {
  const [v5, v6, v7] = ['v5', 'v6', 'v7'].map((variant) => entry(variant, on(`linux/arm/${variant}`)));
  assert.equal(await chosen([v5, v6, v7], 'linux/arm/v7'), 'v7');
  assert.equal(await chosen([v5, v6], 'linux/arm/v7'), 'v6');
  assert.equal(await chosen([v5], 'linux/arm/v7'), 'v5');
  assert.equal(await chosen([v5, v7, entry('plain', on('linux/arm'))], 'linux/arm'), 'plain');
  assert.equal(
    await chosen([v7], 'linux/arm/v6'),
    'PLATFORM_NOT_FOUND: No manifest found for platform linux/arm/v6; available: linux/arm/v7',
  );
});

test('an empty platform is none: it neither matches nor spoils the index', async () => {
  const right = entry('right', on('linux/amd64'));
  const other = { architecture: 's390x' };
  for (const platform of [{}, null, { architecture: '', os: '' }, { architecture: null, os: null }, other]) {
    assert.equal(await chosen([entry('odd', platform), right]), 'right', JSON.stringify(platform));
  }
  // Alone, what its config says counts.
  assert.equal(await chosen([entry('odd', {})]), 'odd');
  assert.match(await chosen([entry('other', {}, {}, other)]), /^PLATFORM_NOT_FOUND: /);
});

test('an entry without platform counts after those with one, by its config', async () => {
  assert.equal(await chosen([MISSING, entry('right', on('linux/amd64'))]), 'right');
  assert.equal(await chosen([entry('none', undefined), entry('right', on('linux/amd64'))]), 'right');
  const arm = entry('arm', undefined, {}, { architecture: 'arm', variant: 'v6' });
  assert.equal(await chosen([arm, entry('none', undefined)]), 'none');
  assert.equal(await chosen([entry('none', undefined), arm], 'linux/arm/v7'), 'arm');
  assert.match(await chosen([arm], 'linux/arm/v5'), /^PLATFORM_NOT_FOUND: /);
  // A config that does not tell is for any.
  assert.equal(await chosen([entry('blank', undefined, {}, { architecture: '', os: '' })]), 'blank');
});

test('entries of unknown media types are passed over', async () => {
  const right = entry('right', on('linux/amd64'));
  for (const mediaType of [
    'application/vnd.oci.artifact.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
    'application/vnd.in-toto+json',
    '',
  ]) {
    for (const platform of [undefined, on('unknown/unknown'), on('linux/amd64')]) {
      const odd = { ...MISSING, mediaType, ...(platform !== undefined && { platform }) };
      assert.equal(await chosen([odd, right]), 'right', `${mediaType} ${JSON.stringify(platform)}`);
      assert.equal(await chosen([right, odd]), 'right');
      assert.equal(await chosen([odd]), `UNEXPECTED_MEDIA_TYPE: Unexpected media type ${mediaType}`);
    }
  }
  for (const mediaType of [undefined, null]) assert.equal(await chosen([{ ...MISSING, mediaType }, right]), 'right');
});

test('of images for one platform the one in Zstandard is taken, else the first', async () => {
  const zstd = { annotations: { [ZSTD_ANNOTATION]: 'true' } };
  const amd64 = on('linux/amd64');
  assert.equal(await chosen([entry('first', amd64), entry('second', amd64)]), 'first');
  assert.equal(await chosen([entry('gzip', amd64), entry('zstd', amd64, zstd)]), 'zstd');
  assert.equal(await chosen([entry('zstd', amd64, zstd), entry('other', amd64, zstd)]), 'zstd');
  assert.equal(await chosen([entry('zstd', on('linux/amd64/v2'), zstd), entry('plain', amd64)]), 'plain');
});

test('an index in the index is chosen from in the same way, and other indexes in it do not matter', async () => {
  const amd64 = on('linux/amd64');
  const nested = (...entries: readonly unknown[]): Descriptor => {
    const { bytes, descriptor } = blob(OCI_INDEX, indexJson(entries as Descriptor[]));
    BLOBS.set(descriptor.digest, bytes);
    return descriptor;
  };
  const deep = nested(nested(entry('deep', amd64)), entry('v3', on('linux/amd64/v3')), entry('plain', amd64));
  assert.equal(await chosen([deep]), 'plain');
  assert.equal(await chosen([nested(entry('arm', on('linux/arm64'))), deep]), 'plain');
  assert.equal(await chosen([nested(deep)]), 'NESTED_INDEX: Nested image indices are not supported');
  // The first index with a match, whatever comes after it.
  const broken = { ...deep, digest: MISSING.digest };
  assert.equal(await chosen([deep, broken]), 'plain');
  assert.equal(await chosen([entry('v3', on('linux/amd64/v3')), broken, entry('direct', amd64)]), 'direct');
});

test('a tag chooses first, then the platform', async () => {
  const tagged = (name: string, platform: string, tag: string): Entry =>
    entry(name, on(platform), { annotations: { [REF_NAME_ANNOTATION]: tag } });
  const entries = [
    tagged('other', 'linux/amd64', 'b'),
    tagged('v2', 'linux/amd64/v2', 'a'),
    tagged('plain', 'linux/amd64', 'a'),
  ];
  assert.equal(await chosen(entries, 'linux/amd64', { tag: 'a' }), 'plain');
  assert.equal(await chosen(entries, 'linux/amd64', { tag: 'b' }), 'other');
});

test('in the list of a layout the first image counts, whether entry or config names the platform', async () => {
  const amd64 = on('linux/amd64');
  const entries = [entry('none', undefined), entry('named', amd64)];
  assert.equal(await chosen(entries), 'named');
  assert.equal(await chosen(entries, 'linux/amd64', { isLayout: true }), 'none');
  assert.equal(
    await chosen([entry('v3', on('linux/amd64/v3')), ...entries], 'linux/amd64', { isLayout: true }),
    'none',
  );
  assert.equal(await chosen([...entries].reverse(), 'linux/amd64', { isLayout: true }), 'named');
});
