import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ComposefsError, errorChain, errorCode, findCause } from '../../../src/errors.js';
import { ImageSourceError } from '../../../src/oci/blob/blob-error.js';
import { readFileBlob } from '../../../src/oci/blob/blob-file.js';
import { pull } from '../../../src/oci/import/pull.js';
import { sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { parsePlatform } from '../../../src/oci/model/platform.js';
import type { ImageSource } from '../../../src/oci/sources/image-source.js';
import { convertedConfig, dockerArchive, dockerConfig, manifestJson } from '../../support/docker-archives.js';
import { locateLayer } from '../../support/layer-blobs.js';
import { dataLayerTar, fxOci, LayoutBuilder, zstdRawFrame } from '../../support/oci-fixtures.js';
import { openSource } from '../../support/open-source.js';
import { withTempDir } from '../../support/paths.js';
import {
  gnuLongName,
  paxHeader,
  tarArchive,
  tarFile,
  tarHardlink,
  tarHeader,
  tarSymlink,
} from '../../support/tar-builder.js';
import { isSound, tempRepository } from '../oci-support.js';

const layers = [dataLayerTar(10), dataLayerTar(5000)];
const LAYER_NAMES = ['0/layer.tar', '1/layer.tar'];
const item = { Config: 'config.json', RepoTags: ['app:v1'], Layers: LAYER_NAMES };
const config = dockerConfig(layers);

/** Opens what the parts make up, with what comes after the file name. */
async function openArchive(archive: Buffer, selection = ''): Promise<ImageSource> {
  return await withTempDir(async (directory) => {
    const file = join(directory, 'image.tar');
    writeFileSync(file, archive);
    const source = await openSource(`docker-archive:${file}${selection}`);
    // Reads everything while the file is there.
    const { value } = await source.manifest();
    for (const layer of value.layers) {
      const location = await locateLayer(source, layer);
      const chunks: Buffer[] = [];
      for await (const chunk of readFileBlob(location)) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      assert.equal(sha256ContentDigest(bytes), layer.digest);
      assert.equal(bytes.length, layer.size);
    }
    return source;
  });
}

async function refuses(archive: Buffer, code: string, message: RegExp, selection = ''): Promise<void> {
  await assert.rejects(openArchive(archive, selection), (error: Error) => {
    assert.equal(errorCode(error), code, errorChain(error).join(': '));
    assert.match(errorChain(error).join(': '), message);
    return true;
  });
}

test('an image of an archive gets the manifest and the config that skopeo makes of it', async () => {
  const source = await openArchive(dockerArchive(layers));
  const manifest = await source.manifest();
  const expected = convertedConfig(layers);
  assert.deepEqual(JSON.parse(manifest.raw.toString()), {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: sha256ContentDigest(Buffer.from(expected)),
      size: expected.length,
    },
    layers: layers.map((layer) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: sha256ContentDigest(layer),
      size: layer.length,
    })),
  });
  assert.equal((await source.readBlob(manifest.value.config)).toString(), expected);
});

test('layers may be links, compressed, or twice there; names may be written in other ways', async () => {
  const [first, second] = layers as [Buffer, Buffer];
  const plain = (await (await openArchive(dockerArchive(layers))).manifest()).digest;
  const file = (name: string, layer: Buffer): Buffer => tarFile(name, layer);
  const variants: Record<string, Buffer[]> = {
    'a symbolic link to a later folder': [
      tarSymlink('0/layer.tar', '../x/layer.tar'),
      file('1/layer.tar', second),
      file('x/layer.tar', first),
    ],
    'a symbolic link to a link': [
      file('0/layer.tar', first),
      tarSymlink('1/layer.tar', './other'),
      tarSymlink('1/other', '../2/layer.tar'),
      file('2/layer.tar', second),
    ],
    'a hard link, which starts from the root': [
      file('x.tar', first),
      tarHardlink('0/layer.tar', 'x.tar'),
      file('1/layer.tar', second),
    ],
    gzip: [file('0/layer.tar', gzipSync(first)), file('1/layer.tar', second)],
    zstd: [file('0/layer.tar', zstdRawFrame(first)), file('1/layer.tar', gzipSync(second))],
    'names with ./': [file('./0/layer.tar', first), file('.//1//layer.tar', second)],
    'PAX and GNU long names': [
      paxHeader([['path', '0/layer.tar']]),
      file('short', first),
      gnuLongName('1/layer.tar'),
      file('short', second),
    ],
    'the last of several counts': [
      file('0/layer.tar', Buffer.alloc(10)),
      tarSymlink('1/layer.tar', '/etc/passwd'),
      file('0/layer.tar', first),
      file('1/layer.tar', second),
    ],
  };
  for (const [name, parts] of Object.entries(variants)) {
    const archive = tarArchive([...parts, tarFile('./config.json', config), manifestJson(item)]);
    const manifest = await (await openArchive(archive)).manifest();
    assert.equal(manifest.digest, plain, name);
  }

  const twice = [first, second, first];
  const once = tarArchive([
    file('0/layer.tar', first),
    file('1/layer.tar', second),
    tarFile('config.json', dockerConfig(twice)),
    manifestJson({ ...item, Layers: ['0/layer.tar', '1/layer.tar', 'not there'] }),
  ]);
  const { value } = await (await openArchive(once)).manifest();
  assert.deepEqual(
    value.layers.map(({ digest }) => digest),
    twice.map((layer) => sha256ContentDigest(layer)),
  );
});

test('the form of current versions of Docker is read', async () => {
  const blobs = [config, ...layers].map((bytes) => ({
    name: `blobs/sha256/${sha256ContentDigest(bytes).slice(7)}`,
    bytes,
  }));
  const [configName = '', ...names] = blobs.map(({ name }) => name);
  const archive = tarArchive([
    ...blobs.map(({ name, bytes }) => tarFile(name, bytes)),
    tarFile('index.json', '{}'),
    manifestJson({ Config: configName, RepoTags: null, Layers: names }),
  ]);
  const { digest } = await (await openArchive(archive)).manifest();
  assert.equal(digest, (await (await openArchive(dockerArchive(layers))).manifest()).digest);
});

test('images are selected by tag or position', async () => {
  const others = [dataLayerTar(20)];
  const archive = tarArchive([
    tarFile('config.json', config),
    tarFile('other.json', dockerConfig(others)),
    ...layers.map((layer, index) => tarFile(`${index}/layer.tar`, layer)),
    tarFile('2/layer.tar', others[0] ?? ''),
    manifestJson(item, {
      Config: 'other.json',
      RepoTags: ['quay.io/team/other:v2', 'docker.io/library/app:v3'],
      Layers: ['2/layer.tar'],
    }),
  ]);
  const count = async (selection: string): Promise<number> =>
    (await (await openArchive(archive, selection)).manifest()).value.layers.length;
  assert.equal(await count(':app:v1'), 2);
  assert.equal(await count(':docker.io/library/app:v1'), 2);
  assert.equal(await count(':quay.io/team/other:v2'), 1);
  assert.equal(await count(':app:v3'), 1);
  assert.equal(await count(':@0'), 2);
  assert.equal(await count(':@1'), 1);
  const hint = 'Add one of its tags, or @ and a position: app:v1, quay.io/team/other:v2, docker.io/library/app:v3.';
  await assert.rejects(openArchive(archive), (error: Error) => {
    assert.equal(findCause(error, ImageSourceError)?.message, 'The archive holds 2 images');
    assert.equal(findCause(error, ImageSourceError)?.hint, hint);
    return true;
  });
  await refuses(archive, 'TAG_NOT_FOUND', /Tag 'app' not found in the archive/, ':app');
  await refuses(archive, 'TAG_NOT_FOUND', /Tag '' not found/, ':');
  await refuses(archive, 'TAG_NOT_FOUND', /Invalid source index @2, only 2 manifest items available/, ':@2');
  await refuses(archive, 'INVALID_IMAGE_REFERENCE', /Invalid source index @-1/, ':@-1');
  await refuses(archive, 'INVALID_IMAGE_REFERENCE', /Invalid source index @1x/, ':@1x');
});

test('damaged archives are refused, and the error names what is wrong', async () => {
  const files = [tarFile('config.json', config), ...layers.map((layer, i) => tarFile(`${i}/layer.tar`, layer))];
  const whole = manifestJson(item);
  const withManifest = (text: string): Buffer => tarArchive([...files, tarFile('manifest.json', text)]);
  await refuses(tarArchive(files), 'INDEX_NOT_FOUND', /Cannot find manifest\.json/);
  await refuses(withManifest('{'), 'INVALID_DOCUMENT', /Invalid manifest\.json/);
  await refuses(withManifest('{}'), 'INVALID_DOCUMENT', /Invalid manifest\.json: expected an array/);
  await refuses(withManifest('[{}]'), 'INVALID_DOCUMENT', /missing field '0\.Config'/);
  await refuses(withManifest('[]'), 'TAG_NOT_FOUND', /The archive holds 0 images/);
  await refuses(withManifest(' '.repeat(5 << 20)), 'INVALID_ARCHIVE', /"manifest\.json" of 5242880 bytes exceeds/);
  await refuses(tarArchive([...files.slice(1), whole]), 'INVALID_ARCHIVE', /it has no file "config\.json"/);
  await refuses(tarArchive([...files.slice(0, 2), whole]), 'INVALID_ARCHIVE', /it has no file "1\/layer\.tar"/);
  const fewer = manifestJson({ ...item, Layers: ['0/layer.tar'] });
  await refuses(tarArchive([...files, fewer]), 'INVALID_ARCHIVE', /1 layers in manifest\.json, but 2 diff_ids/);
  const badConfig = tarFile('config.json', '{}');
  await refuses(tarArchive([...files, badConfig, whole]), 'INVALID_DOCUMENT', /Invalid image configuration/);
  const badDiffId = dockerConfig([], { rootfs: { type: 'layers', diff_ids: ['x', 'y'] } });
  await refuses(tarArchive([...files, tarFile('config.json', badDiffId), whole]), 'INVALID_DIGEST', /parsing diff_id/);
  await refuses(Buffer.alloc(3000, 'text'), 'INVALID_ARCHIVE', /Invalid archive: it is no tar/);
  await refuses(dockerArchive(layers).subarray(0, 3000), 'INVALID_ARCHIVE', /unexpected end of the file/);
  const huge = tarHeader({ name: '0/layer.tar', size: 8 ** 11 - 1 });
  await refuses(Buffer.concat([files[0] ?? huge, huge]), 'INVALID_ARCHIVE', /8589934591 bytes wanted/);
  await refuses(gzipSync(dockerArchive(layers)).subarray(0, -9), 'COMPRESSED_DATA_TRUNCATED', /truncated gzip data/);
});

test('links and names lead nowhere but to members of the archive', async () => {
  const rest = [tarFile('config.json', config), tarFile('1/layer.tar', layers[1] ?? ''), manifestJson(item)];
  const link = (...parts: readonly Buffer[]): Buffer => tarArchive([...parts, ...rest]);
  const loop = [tarSymlink('0/layer.tar', 'other'), tarSymlink('0/other', 'layer.tar')];
  await refuses(link(...loop), 'INVALID_ARCHIVE', /"0\/layer\.tar" leads through more than 8 links/);
  await refuses(link(tarSymlink('0/layer.tar', 'layer.tar')), 'INVALID_ARCHIVE', /more than 8 links/);
  await refuses(link(tarHardlink('0/layer.tar', '0/layer.tar')), 'INVALID_ARCHIVE', /more than 8 links/);
  const outside = tarSymlink('0/layer.tar', '../../../../etc/passwd');
  await refuses(
    link(outside),
    'INVALID_ARCHIVE',
    /it has no file "0\/layer\.tar", a link to "\.\.\/\.\.\/\.\.\/etc\/passwd"/,
  );
  await refuses(link(tarSymlink('0/layer.tar', '/etc/passwd')), 'INVALID_ARCHIVE', /a link to "0\/etc\/passwd"/);
  for (const name of ['../../../etc/passwd', '/etc/passwd', '', '.', 'config.json/']) {
    const archive = tarArchive([...rest.slice(0, 2), manifestJson({ ...item, Layers: [name, '1/layer.tar'] })]);
    // The last one is a member, but not the layer.
    const isMember = name === 'config.json/';
    await assert.rejects(openArchive(archive), isMember ? assert.AssertionError : { code: 'INVALID_ARCHIVE' }, name);
  }
});

test('the wrong kind of archive is named', async () => {
  const hintOf = async (archive: Buffer): Promise<string | undefined> => {
    const error = await openArchive(archive).then(
      () => assert.fail('could be opened'),
      (failure: unknown) => failure,
    );
    return findCause(error, ImageSourceError)?.hint;
  };
  const layout = new LayoutBuilder().addImage(fxOci()).archive();
  assert.match((await hintOf(layout)) ?? '', /^This is an OCI archive: oci-archive:\//);
  assert.match((await hintOf(tarArchive([tarFile('repositories', '{}')]))) ?? '', /Docker before 1\.10/);
  assert.match((await hintOf(tarArchive([]))) ?? '', /`docker save`/);
});

test('a platform is checked if one is asked for', async () => {
  await withTempDir(async (directory) => {
    const file = join(directory, 'image.tar');
    writeFileSync(file, dockerArchive(layers));
    const source = await openSource(`docker-archive:${file}`, { platform: parsePlatform('linux/arm64') });
    await assert.rejects(source.manifest(), { code: 'PLATFORM_NOT_FOUND' });
  });
});

test('images are pulled whatever their layers are compressed with, and wrong layers are not', async (context) => {
  await withTempDir(async (directory) => {
    const [first, second] = layers as [Buffer, Buffer];
    const write = (name: string, ...contents: readonly Buffer[]): string => {
      const file = join(directory, `${name}.tar`);
      const members = contents.map((bytes, index) => tarFile(`${index}/layer.tar`, bytes));
      writeFileSync(file, tarArchive([...members, tarFile('config.json', config), manifestJson(item)]));
      return `docker-archive:${file}`;
    };
    const ids = new Set<string>();
    for (const [index, contents] of [layers, [gzipSync(first), zstdRawFrame(second)]].entries()) {
      const repo = await tempRepository(context);
      const result = await pull(repo, write(`good-${index}`, ...contents), 'app', { concurrency: 1 });
      ids.add(`${result.manifestDigest} ${result.manifestVerity}`);
      assert.ok(await isSound(repo));
    }
    assert.equal(ids.size, 1);

    const repo = await tempRepository(context);
    const changed = Buffer.from(second);
    // In the content of a file.
    changed[3000] = 0;
    const wrong = [
      { name: 'exchanged', contents: [second, first] },
      { name: 'other content', contents: [first, changed] },
      { name: 'gzip of other content', contents: [gzipSync(second), gzipSync(second)] },
    ];
    for (const { name, contents } of wrong) {
      const pulled = pull(repo, write(name.replaceAll(' ', '-'), ...contents), 'bad', { concurrency: 1 });
      await assert.rejects(pulled, (error: Error) => {
        assert.ok(['BLOB_DIGEST_MISMATCH', 'BLOB_SIZE_MISMATCH'].includes(errorCode(error)), `${name}: ${error}`);
        assert.match(errorChain(error)[2] ?? '', /^Failed to import layer sha256:/);
        return true;
      });
    }
    const cut = pull(repo, write('cut', gzipSync(first).subarray(0, -9), second), 'bad', { concurrency: 1 });
    await assert.rejects(cut, (error: unknown) => error instanceof ComposefsError && error.code !== 'INTERNAL');
    assert.ok(await isSound(repo));
  });
});

test('a damaged archive gives an error of this library or an image, never anything else', async () => {
  const archive = dockerArchive(layers);
  const change = fc.record({ at: fc.nat({ max: archive.length - 1 }), to: fc.nat({ max: 255 }) });
  const runs = Number(process.env['COMPOSEFS_TEST_FUZZ'] ?? 300);
  await withTempDir(async (directory) => {
    const file = join(directory, 'image.tar');
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const bytes = Buffer.from(archive);
        for (const { at, to } of changes) bytes[at] = to;
        writeFileSync(file, bytes);
        try {
          const manifest = await (await openSource(`docker-archive:${file}`)).manifest();
          assert.equal(manifest.value.layers.length, 2);
        } catch (error) {
          assert.ok(error instanceof ComposefsError, String(error));
          assert.notEqual(error.code, 'INTERNAL');
        }
      }),
      { numRuns: runs },
    );
  });
});

test('an archive that is cut anywhere is refused or gives the right image', async () => {
  const small = [dataLayerTar(10)];
  const archive = dockerArchive(small);
  const whole = (await (await openArchive(archive)).manifest()).digest;
  await withTempDir(async (directory) => {
    const file = join(directory, 'image.tar');
    for (let length = 0; length < archive.length; length += 61) {
      writeFileSync(file, archive.subarray(0, length));
      try {
        const manifest = await (await openSource(`docker-archive:${file}`)).manifest();
        assert.equal(manifest.digest, whole);
      } catch (error) {
        assert.ok(error instanceof ComposefsError, String(error));
        assert.notEqual(error.code, 'INTERNAL');
      }
    }
  });
});
