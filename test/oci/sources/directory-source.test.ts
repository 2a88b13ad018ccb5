import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorChain, errorCode, findCause } from '../../../src/errors.js';
import { ImageSourceError } from '../../../src/oci/blob/blob-error.js';
import { readBlob } from '../../../src/oci/blob/verified-read.js';
import { pull } from '../../../src/oci/import/pull.js';
import { digestEncoded } from '../../../src/oci/model/digest.js';
import { parsePlatform } from '../../../src/oci/model/platform.js';
import { locateLayer } from '../../support/layer-blobs.js';
import { fxBoot, fxOci, indexJson, LayoutBuilder, spdxArtifact, type TestImage } from '../../support/oci-fixtures.js';
import { openSource } from '../../support/open-source.js';
import { withTempDir } from '../../support/paths.js';
import { isSound, PULL, tempRepository } from '../oci-support.js';

const AMD64 = parsePlatform('linux/amd64');
const file = (directory: string, { descriptor }: { descriptor: TestImage['manifest']['descriptor'] }): string =>
  join(directory, digestEncoded(descriptor.digest));

/** What `skopeo copy … dir:` writes. */
function writeDirectory(directory: string, image: TestImage): string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'version'), 'Directory Transport Version: 1.1\n');
  writeFileSync(join(directory, 'manifest.json'), image.manifest.bytes);
  for (const blob of [image.config, ...image.layers]) writeFileSync(file(directory, blob), blob.bytes);
  return `dir:${directory}`;
}

/** What `skopeo copy --all … dir:` writes. */
function writeAll(directory: string, images: readonly TestImage[]): string {
  for (const image of images) {
    writeDirectory(directory, image);
    writeFileSync(`${file(directory, image.manifest)}.manifest.json`, image.manifest.bytes);
  }
  const entries = images.map(({ manifest, platform }) => ({
    ...manifest.descriptor,
    ...(platform !== undefined && { platform }),
  }));
  writeFileSync(join(directory, 'manifest.json'), indexJson(entries));
  return `dir:${directory}`;
}

async function refuses(reference: string, code: string, message: RegExp): Promise<unknown> {
  try {
    const source = await openSource(reference, { platform: AMD64 });
    const { value } = await source.manifest();
    for (const layer of value.layers) await locateLayer(source, layer);
  } catch (error) {
    assert.equal(errorCode(error), code, errorChain(error).join(': '));
    assert.match(errorChain(error).join(': '), message);
    return error;
  }
  assert.fail(`${reference} could be read`);
}

test('an image is read from a directory: manifest, config and layers', async () => {
  await withTempDir(async (directory) => {
    const image = fxOci();
    const source = await openSource(writeDirectory(directory, image));
    const { value, digest } = await source.manifest();
    assert.equal(digest, image.manifest.descriptor.digest);
    assert.deepEqual(await source.readBlob(value.config), image.config.bytes);
    const [layer] = value.layers;
    assert.ok(layer !== undefined);
    const location = await locateLayer(source, layer);
    assert.deepEqual(location, {
      kind: 'file',
      path: join(directory, digestEncoded(layer.digest)),
      offset: 0,
      size: layer.size,
    });
    assert.deepEqual(readBlob(location, layer), image.layers[0]?.bytes);
  });
});

test('an index is resolved by platform', async () => {
  await withTempDir(async (directory) => {
    const arm = fxOci({ architecture: 'arm64' });
    const reference = writeAll(directory, [arm, fxBoot()]);
    for (const [platform, image] of [
      ['linux/amd64', fxBoot()],
      ['linux/arm64', arm],
    ] as const) {
      const source = await openSource(reference, { platform: parsePlatform(platform) });
      assert.equal((await source.manifest()).digest, image.manifest.descriptor.digest);
    }
    const other = await openSource(reference, { platform: parsePlatform('linux/s390x') });
    await assert.rejects(other.manifest(), (error: Error) => {
      assert.match(errorChain(error).join(), /for platform linux\/s390x; available: linux\/arm64, linux\/amd64/);
      return true;
    });
    rmSync(`${file(directory, arm.manifest)}.manifest.json`);
    await assert.rejects((await openSource(reference, { platform: parsePlatform('linux/arm64') })).manifest(), {
      code: 'BLOB_NOT_FOUND',
    });
  });
});

test('an image that is in no index is taken for any platform, unless one is asked for', async () => {
  await withTempDir(async (directory) => {
    const image = fxOci({ architecture: 's390x' });
    const reference = writeDirectory(directory, image);
    assert.equal((await (await openSource(reference)).manifest()).digest, image.manifest.descriptor.digest);
    await refuses(
      reference,
      'PLATFORM_NOT_FOUND',
      /No manifest found for platform linux\/amd64; available: linux\/s390x/,
    );
    assert.equal(
      (
        await (
          await openSource(writeDirectory(join(directory, 'artifact'), spdxArtifact()), { platform: AMD64 })
        ).manifest()
      ).digest,
      spdxArtifact().manifest.descriptor.digest,
    );
  });
});

test('damaged directories are refused, and the error names what is wrong', async () => {
  await withTempDir(async (parent) => {
    const image = fxOci();
    const [layer] = image.layers;
    assert.ok(layer !== undefined);
    let count = 0;
    const damaged = (damage: (directory: string) => void): string => {
      const directory = join(parent, String(count++));
      const reference = writeDirectory(directory, image);
      damage(directory);
      return reference;
    };
    const manifest = (content: string) =>
      damaged((directory) => writeFileSync(join(directory, 'manifest.json'), content));

    await refuses(`dir:${parent}/none`, 'ENOENT', /Opening image directory/);
    writeFileSync(join(parent, 'file'), '');
    await refuses(`dir:${parent}/file`, 'ENOTDIR', /not a directory/);
    await refuses(manifest('{'), 'INVALID_JSON', /expected a key/);
    await refuses(manifest('{}'), 'UNEXPECTED_MEDIA_TYPE', /Unexpected media type without a media type/);
    await refuses(manifest('[]'), 'UNEXPECTED_MEDIA_TYPE', /Unexpected media type/);
    await refuses(manifest('{"schemaVersion":1,"name":"x"}'), 'UNEXPECTED_MEDIA_TYPE', /Unexpected media type/);
    await refuses(manifest('{"layers":[],"manifests":[]}'), 'UNEXPECTED_MEDIA_TYPE', /is ambiguous/);
    const asIndex = {
      ...JSON.parse(image.manifest.bytes.toString()),
      mediaType: 'application/vnd.oci.image.index.v1+json',
    };
    await refuses(manifest(JSON.stringify(asIndex)), 'UNEXPECTED_MEDIA_TYPE', /image\.index/);
    await refuses(manifest('{"layers":[]}'), 'INVALID_DOCUMENT', /missing field/);
    const oversized = damaged((directory) => truncateSync(join(directory, 'manifest.json'), 5 << 20));
    await refuses(oversized, 'JSON_TOO_LARGE', /manifest\.json of 5242880 bytes exceeds the limit/);
    const link = damaged((directory) => {
      rmSync(join(directory, 'manifest.json'));
      symlinkSync('/etc/passwd', join(directory, 'manifest.json'));
    });
    await refuses(link, 'ELOOP', /manifest/);

    const missing = damaged((directory) => rmSync(file(directory, layer)));
    await refuses(missing, 'BLOB_NOT_FOUND', new RegExp(`Blob ${layer.descriptor.digest} not found in dir:`));
    const cut = damaged((directory) => truncateSync(file(directory, layer), 3));
    await refuses(cut, 'BLOB_SIZE_MISMATCH', /but found 3/);
    const linked = damaged((directory) => {
      rmSync(file(directory, layer));
      symlinkSync('/etc/passwd', file(directory, layer));
    });
    await refuses(linked, 'BLOB_NOT_A_FILE', /is not a regular file/);
    const wrongConfig = damaged((directory) =>
      writeFileSync(file(directory, image.config), Buffer.alloc(image.config.bytes.length)),
    );
    await refuses(wrongConfig, 'BLOB_DIGEST_MISMATCH', /Blob digest mismatch/);
  });
});

test('the wrong kind of directory is named', async () => {
  await withTempDir(async (directory) => {
    const error = await refuses(`dir:${directory}`, 'INDEX_NOT_FOUND', /Cannot find manifest\.json/);
    assert.match(findCause(error, ImageSourceError)?.hint ?? '', /skopeo copy/);
    new LayoutBuilder().addImage(fxOci()).write(directory);
    const other = await refuses(`dir:${directory}`, 'INDEX_NOT_FOUND', /Cannot find manifest\.json/);
    assert.equal(findCause(other, ImageSourceError)?.hint, `This is an OCI layout: oci:${directory}`);
  });
});

test('images are pulled, and wrong layers are not', async (context) => {
  await withTempDir(async (directory) => {
    const image = fxOci();
    const reference = writeDirectory(directory, image);
    const repo = await tempRepository(context);
    const layer = image.layers[0];
    assert.ok(layer !== undefined);
    writeFileSync(file(directory, layer), Buffer.alloc(layer.bytes.length));
    await assert.rejects(pull(repo, reference, 'app', PULL), (error: Error) => {
      assert.match(errorChain(error)[2] ?? '', /^Failed to import layer sha256:/);
      return true;
    });
    writeDirectory(directory, image);
    const { manifestDigest, configDigest } = await pull(repo, reference, 'app', PULL);
    assert.equal(manifestDigest, image.manifest.descriptor.digest);
    assert.equal(configDigest, image.config.descriptor.digest);
    assert.ok(await isSound(repo));
  });
});
