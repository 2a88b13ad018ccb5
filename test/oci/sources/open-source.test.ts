import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ComposefsError, errorChain, errorCode, findCause, fullMessage } from '../../../src/errors.js';
import { BlobError } from '../../../src/oci/blob/blob-error.js';
import { readBlob } from '../../../src/oci/blob/verified-read.js';
import { digestEncoded, parseOciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import {
  DELTA_ARTIFACT_TYPE,
  DOCKER_IMAGE_CONFIG,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_MANIFEST,
  REF_NAME_ANNOTATION,
} from '../../../src/oci/model/media-types.js';
import { parsePlatform } from '../../../src/oci/model/platform.js';
import { SkopeoError } from '../../../src/oci/skopeo/proxy-error.js';
import type { ImageSource } from '../../../src/oci/sources/image-source.js';
import { cpuTime } from '../../support/cpu-time.js';
import { rejectionOf } from '../../support/failures.js';
import { locateLayer } from '../../support/layer-blobs.js';
import {
  blob,
  buildArtifact,
  buildImage,
  damage,
  dataLayerTar,
  fxBoot,
  fxLarge,
  fxOci,
  indexJson,
  LayoutBuilder,
  spdxArtifact,
  type TestImage,
} from '../../support/oci-fixtures.js';
import { openSource } from '../../support/open-source.js';
import { withTempDir } from '../../support/paths.js';
import { sparseContent, sparseFile, sparseTars } from '../../support/sparse-tars.js';
import {
  paxHeader,
  tarArchive,
  tarDirectory,
  tarFile,
  tarHardlink,
  tarHeader,
  tarSymlink,
} from '../../support/tar-builder.js';

const amd64 = parsePlatform('linux/amd64');
const open = (reference: string): Promise<ImageSource> => openSource(reference, { platform: amd64 });

/** Resolves the manifest of a reference and returns the chain of error messages. */
async function failure(reference: string): Promise<string[]> {
  return errorChain(await rejectionOf(open(reference).then((source) => source.manifest())));
}

async function resolvesTo(reference: string, image: TestImage): Promise<void> {
  const source = await open(reference);
  const manifest = await source.manifest();
  assert.equal(manifest.digest, image.manifest.descriptor.digest);
  assert.deepEqual(manifest.raw, image.manifest.bytes);
}

const RESOLVING = 'Resolving manifest for platform';

test('an image is read from a layout: manifest, config and the places of its layers', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    new LayoutBuilder().addImage(image, { tag: 'v1' }).write(path);
    const source = await open(`oci:${path}:v1`);
    const { value } = await source.manifest();
    assert.deepEqual(await source.readBlob(value.config), image.config.bytes);
    const [layer] = value.layers;
    assert.ok(layer !== undefined);
    const location = await locateLayer(source, layer);
    const file = join(path, 'blobs', 'sha256', digestEncoded(layer.digest));
    assert.deepEqual(location, { kind: 'file', path: file, offset: 0, size: layer.size });
    assert.deepEqual(structuredClone(location), location);
    assert.deepEqual(readBlob(location, layer), image.layers[0]?.bytes);
    await source.close();
  });
});

test('an image is read from an archive without unpacking it', async () => {
  await withTempDir(async (path) => {
    const image = fxLarge({ compression: 'none' });
    const file = join(path, 'image.tar');
    writeFileSync(file, new LayoutBuilder().addImage(image, { tag: 'docker.io/library/x:latest' }).archive());
    const source = await open(`oci-archive:${file}:docker.io/library/x:latest`);
    const { value, digest } = await source.manifest();
    assert.equal(digest, image.manifest.descriptor.digest);
    assert.deepEqual(await source.readBlob(value.config), image.config.bytes);
    const [layer] = value.layers;
    assert.ok(layer !== undefined);
    const location = await locateLayer(source, layer);
    assert.match(location.path, /^\/proc\/self\/fd\/\d+$/);
    assert.equal(realpathSync(location.path), file);
    assert.ok(location.offset > 0);
    assert.deepEqual(readBlob(location, layer), image.layers[0]?.bytes);
  });
});

test('the members of an archive may be sparse, and the archive end in many ways', async () => {
  await withTempDir(async (path) => {
    const image = fxLarge({ compression: 'none' });
    const file = join(path, 'image.tar');
    const files = [...new LayoutBuilder().addImage(image).files()];
    for (const format of ['gnu', 'pax00', 'pax01', 'pax10'] as const) {
      const members = files.map(([name, bytes]) => sparseTars(sparseContent(bytes), name)[format]);
      for (const end of [0, 100, 512, 700, 1024, 10_240]) {
        writeFileSync(file, Buffer.concat([...members, Buffer.alloc(end)]));
        const source = await open(`oci-archive:${file}`);
        const { value, digest } = await source.manifest();
        assert.equal(digest, image.manifest.descriptor.digest);
        const [layer] = value.layers;
        assert.ok(layer !== undefined);
        const location = await locateLayer(source, layer);
        assert.ok(location.sparse !== undefined);
        assert.deepEqual(structuredClone(location), location);
        assert.deepEqual(readBlob(location, layer), image.layers[0]?.bytes);
        await source.close();
      }
    }
  });
});

test('without a tag the first image for the platform is taken', async () => {
  await withTempDir(async (path) => {
    const arm = fxOci({ architecture: 'arm64' });
    new LayoutBuilder().addImage(arm).addImage(fxBoot()).addImage(fxLarge()).write(path);
    await resolvesTo(`oci:${path}`, fxBoot());
    const source = await openSource(`oci:${path}`, { platform: parsePlatform('linux/arm64') });
    assert.equal((await source.manifest()).digest, arm.manifest.descriptor.digest);
  });
});

test('a tag selects among the entries, and an entry without platform is tested by its config', async () => {
  await withTempDir(async (path) => {
    new LayoutBuilder()
      .addImage(fxOci(), { tag: 'a' })
      .addImage(fxOci({ architecture: 's390x' }), { tag: 'b', platform: null })
      .addImage(fxBoot(), { tag: 'b', platform: null })
      .write(path);
    await resolvesTo(`oci:${path}:a`, fxOci());
    await resolvesTo(`oci:${path}:b`, fxBoot());
    assert.deepEqual(await failure(`oci:${path}:c`), [RESOLVING, "Tag 'c' not found in image index"]);
    assert.deepEqual(await failure(`oci:${path}:`), [RESOLVING, "Tag '' not found in image index"]);
    await assert.rejects((await open(`oci:${path}:c`)).manifest(), (error: Error) => {
      assert.equal(errorCode(error), 'TAG_NOT_FOUND');
      assert.ok(error.cause instanceof Error && 'hint' in error.cause);
      assert.equal(error.cause.hint, 'The index has: a, b.');
      return true;
    });
  });
});

test('an index in the index is searched, one level deep', async () => {
  await withTempDir(async (path) => {
    const images = [fxOci({ architecture: 'arm64' }), fxOci()];
    const layout = new LayoutBuilder().addIndex(images, { tag: 'multi' });
    layout.write(path);
    await resolvesTo(`oci:${path}:multi`, fxOci());
    await resolvesTo(`oci:${path}`, fxOci());

    const inner = blob(OCI_INDEX, indexJson([]));
    const outer = blob(OCI_INDEX, indexJson([inner.descriptor]));
    const nested = new LayoutBuilder().addBlob(inner.bytes).addBlob(outer.bytes).addEntry(outer.descriptor);
    nested.write(join(path, 'nested'));
    assert.deepEqual(await failure(`oci:${path}/nested`), [RESOLVING, 'Nested image indices are not supported']);
  });
});

test('the platforms on offer are listed, ten at most', async () => {
  await withTempDir(async (path) => {
    new LayoutBuilder()
      .addImage(fxOci({ architecture: 'arm64' }))
      .addImage(fxOci({ os: 'plan9' }))
      .write(path);
    const available = 'linux/arm64, plan9/amd64';
    const prefix = 'No manifest found for platform linux/amd64; available: ';
    assert.deepEqual(await failure(`oci:${path}`), [RESOLVING, prefix + available]);

    const many = new LayoutBuilder();
    for (let i = 0; i < 11; i++) many.addImage(fxOci({ architecture: `a${i}` }));
    many.write(join(path, 'many'));
    const ten = Array.from({ length: 10 }, (_, i) => `linux/a${i}`).join(', ');
    assert.deepEqual(await failure(`oci:${path}/many`), [RESOLVING, `${prefix}${ten}, ...`]);

    new LayoutBuilder().addImage(fxOci({ os: 'plan9' }), { platform: null }).write(join(path, 'none'));
    assert.deepEqual(await failure(`oci:${path}/none`), [RESOLVING, `${prefix}(no platform info)`]);
  });
});

test('an index that is missing, empty, or of unknown things is refused', async () => {
  await withTempDir(async (path) => {
    new LayoutBuilder().write(path);
    assert.deepEqual(await failure(`oci:${path}`), [RESOLVING, 'Image index contains no manifests']);
    rmSync(join(path, 'index.json'));
    assert.deepEqual((await failure(`oci:${path}`)).slice(0, 2), [
      RESOLVING,
      'Cannot find the Image Index (index.json)',
    ]);
    const odd = { ...fxOci().manifest.descriptor, mediaType: 'application/json' };
    new LayoutBuilder().addEntry(odd).write(path);
    assert.deepEqual(await failure(`oci:${path}`), [RESOLVING, 'Unexpected media type application/json']);
  });
});

test('a directory that is no layout is refused with the step that failed', async () => {
  await withTempDir(async (path) => {
    const missing = join(path, 'missing');
    assert.equal((await failure(`oci:${missing}`))[0], `Opening OCI layout directory ${missing}`);
    assert.equal((await failure(`oci:${path}`))[0], 'Opening OCI directory');
    writeFileSync(join(path, 'file'), '');
    assert.equal((await failure(`oci:${path}/file`))[0], `Opening OCI layout directory ${path}/file`);
  });
});

test('the only candidate is taken without a platform if it is an artifact', async () => {
  await withTempDir(async (path) => {
    const artifact = spdxArtifact();
    new LayoutBuilder()
      .addImage(artifact, { tag: 'sbom' })
      .addImage(fxOci({ os: 'plan9' }), { tag: 'x' })
      .write(path);
    await resolvesTo(`oci:${path}:sbom`, artifact);
    await assert.rejects((await open(`oci:${path}`)).manifest(), /Resolving manifest/);
    const unknown = { architecture: 'unknown', os: 'unknown' };
    new LayoutBuilder().addImage(artifact, { platform: unknown }).write(join(path, 'one'));
    await resolvesTo(`oci:${path}/one`, artifact);
  });
});

test('a single manifest that cannot be parsed matters only if it is chosen', async () => {
  await withTempDir(async (path) => {
    const broken = fxOci({ editManifest: () => Buffer.from('{"schemaVersion":2') });
    const platform = { os: 'linux', architecture: 'arm64' };
    const entry = { ...broken.manifest.descriptor, annotations: { [REF_NAME_ANNOTATION]: 'a' }, platform };
    new LayoutBuilder().addImage(broken).write(path);
    writeFileSync(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    assert.deepEqual(await failure(`oci:${path}:b`), [RESOLVING, "Tag 'b' not found in image index"]);
    const message = 'No manifest found for platform linux/amd64; available: linux/arm64';
    assert.deepEqual(await failure(`oci:${path}:a`), [RESOLVING, message]);
    const arm = await openSource(`oci:${path}:a`, { platform: parsePlatform('linux/arm64') });
    await assert.rejects(arm.manifest(), (error: Error) => {
      assert.deepEqual(errorChain(error).slice(0, 2), [RESOLVING, 'Invalid image manifest']);
      return true;
    });
  });
});

test('a single delta is taken whatever the tag', async () => {
  await withTempDir(async (path) => {
    const delta = buildArtifact([], undefined, { artifactType: DELTA_ARTIFACT_TYPE });
    new LayoutBuilder().addImage(delta, { tag: 'other' }).write(path);
    await resolvesTo(`oci:${path}:nothing`, delta);
  });
});

test('Docker manifests and configs in a layout count as images', async () => {
  await withTempDir(async (path) => {
    const oci = fxOci();
    const config = blob(DOCKER_IMAGE_CONFIG, oci.config.bytes);
    const image = buildArtifact(oci.layers, config, { mediaType: DOCKER_MANIFEST });
    new LayoutBuilder()
      .addImage(image, { descriptor: { mediaType: DOCKER_MANIFEST } })
      .addImage(fxBoot())
      .write(path);
    await resolvesTo(`oci:${path}`, image);
  });
});

test('damaged blobs are refused, and the error names the digest', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const { digest, size } = image.manifest.descriptor;
    const cases = [
      [damage.flipByte, 'BLOB_DIGEST_MISMATCH', `Blob digest mismatch: expected ${digest}, got sha256:`],
      [damage.truncate, 'BLOB_SIZE_MISMATCH', `Expected size ${size} but found ${size - 1}`],
      [damage.append, 'BLOB_SIZE_MISMATCH', `Expected size ${size} but found ${size + 1}`],
      [damage.empty, 'BLOB_SIZE_MISMATCH', `Expected size ${size} but found 0`],
    ] as const;
    for (const [change, code, message] of cases) {
      new LayoutBuilder().addImage(image).corrupt(digest, change).write(path);
      await assert.rejects((await open(`oci:${path}`)).manifest(), (error) => {
        assert.equal(errorCode(error), code);
        assert.equal(findCause(error, BlobError)?.digest, digest);
        assert.match(fullMessage(error), new RegExp(`^${RESOLVING}: Reading blob ${digest}: ${message}`));
        return true;
      });
    }
    new LayoutBuilder().addImage(image).corrupt(image.config.descriptor.digest, damage.flipByte).write(path);
    const source = await open(`oci:${path}`);
    const { value } = await source.manifest();
    await assert.rejects(source.readBlob(value.config), { code: 'BLOB_DIGEST_MISMATCH' });
    const wrongSize = { ...image.config.descriptor, size: 1 };
    await assert.rejects(locateLayer(source, wrongSize), (error) => {
      const expected = `Expected size 1 but found ${image.config.bytes.length}`;
      assert.deepEqual(errorChain(error), [`Opening layer blob ${wrongSize.digest}`, expected]);
      return true;
    });
  });
});

test('a missing blob and a digest of another algorithm are refused', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const { digest } = image.manifest.descriptor;
    const layout = new LayoutBuilder().addImage(image).remove(digest);
    layout.write(path);
    assert.equal((await failure(`oci:${path}`)).at(-1), `Blob ${digest} not found in oci:${path}`);
    const sha512 = parseOciDigest(`sha512:${'0'.repeat(128)}`);
    new LayoutBuilder().addImage(image, { descriptor: { digest: sha512 } }).write(path);
    assert.equal((await failure(`oci:${path}`)).at(-1), `Blob ${sha512} not found in oci:${path}`);
    const other = parseOciDigest('blake3:00');
    new LayoutBuilder().addImage(image, { descriptor: { digest: other } }).write(path);
    assert.equal((await failure(`oci:${path}`)).at(-1), `Expected digest algorithm sha256 but found ${other}`);
  });
});

test('declared sizes are bounded before anything is read', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const { digest } = image.manifest.descriptor;
    const gigabyte = 2 ** 30;
    new LayoutBuilder().addImage(image, { descriptor: { size: gigabyte } }).write(path);
    const file = join(path, 'blobs', 'sha256', digestEncoded(digest));
    truncateSync(file, gigabyte);
    const message = `Blob ${digest} of 1073741824 bytes exceeds the limit of 4194304 bytes`;
    assert.deepEqual(await failure(`oci:${path}`), [RESOLVING, message]);
    truncateSync(join(path, 'index.json'), gigabyte);
    assert.match((await failure(`oci:${path}`)).join(': '), /index\.json of 1073741824 bytes exceeds the limit/);
  });
});

test('a digest cannot lead out of the layout', async () => {
  await withTempDir(async (path) => {
    new LayoutBuilder().write(path);
    for (const digest of ['sha256:../../../etc/passwd', `sha256:${'../'.repeat(21)}x`, 'sha256:index.json']) {
      const entry = { mediaType: OCI_MANIFEST, digest, size: 1 };
      writeFileSync(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
      const chain = await failure(`oci:${path}`);
      assert.match(chain[1] ?? '', /^Invalid image index: field 'manifests\.0\.digest': Invalid encoded value /);
    }
  });
});

test('links to other things than files, and directories, do not count as blobs, and no link as the index', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const layout = join(path, 'layout');
    const secret = join(path, 'secret');
    new LayoutBuilder().addImage(image).write(layout);
    const file = join(layout, 'blobs', 'sha256', digestEncoded(image.manifest.descriptor.digest));
    renameSync(file, secret);
    symlinkSync(path, file);
    assert.equal((await failure(`oci:${layout}`)).at(-1), `${path} is not a regular file`);
    rmSync(file);
    symlinkSync('/dev/zero', file);
    assert.equal((await failure(`oci:${layout}`)).at(-1), '/dev/zero is not a regular file');
    rmSync(file);
    symlinkSync(join(path, 'nothing'), file);
    assert.match((await failure(`oci:${layout}`)).at(-1) ?? '', /^Blob .* not found/);
    rmSync(file);
    mkdirSync(file);
    assert.equal((await failure(`oci:${layout}`)).at(-1), `${file} is not a regular file`);
    renameSync(join(layout, 'index.json'), join(path, 'index.json'));
    symlinkSync(join(path, 'index.json'), join(layout, 'index.json'));
    await assert.rejects((await open(`oci:${layout}`)).manifest(), { code: 'ELOOP' });
    renameSync(join(layout, 'blobs'), join(path, 'blobs'));
    symlinkSync(join(path, 'blobs'), join(layout, 'blobs'));
    assert.match((await failure(`oci:${layout}`)).at(-1) ?? '', /leads out of it/);
  });
});

test('a blob may be a link to a file, which must have the content of its digest', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const layout = join(path, 'layout');
    new LayoutBuilder().addImage(image).write(layout);
    const blobs = join(layout, 'blobs', 'sha256');
    for (const name of readdirSync(blobs)) {
      renameSync(join(blobs, name), join(path, name));
      symlinkSync(join('../../..', name), join(blobs, name));
    }
    await resolvesTo(`oci:${layout}`, image);
    const source = await open(`oci:${layout}`);
    const [layer] = image.layers;
    assert.ok(layer !== undefined);
    const location = await locateLayer(source, layer.descriptor);
    assert.equal(location.path, join(path, digestEncoded(layer.descriptor.digest)));
    assert.deepEqual(readBlob(location, layer.descriptor), layer.bytes);
    await source.close();

    const { digest, size } = image.manifest.descriptor;
    writeFileSync(join(path, digestEncoded(digest)), Buffer.alloc(size));
    assert.match(
      (await failure(`oci:${layout}`)).at(-1) ?? '',
      new RegExp(`^Blob digest mismatch: expected ${digest}`),
    );
  });
});

test('blobs may have digests of SHA-512', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const { bytes } = image.manifest;
    const hex = createHash('sha512').update(bytes).digest('hex');
    const builder = new LayoutBuilder().addImage(image, { descriptor: { digest: parseOciDigest(`sha512:${hex}`) } });
    builder.write(path);
    mkdirSync(join(path, 'blobs', 'sha512'));
    writeFileSync(join(path, 'blobs', 'sha512', hex), bytes);
    await resolvesTo(`oci:${path}`, image);
    const files = [...builder.files(), [`blobs/sha512/${hex}`, bytes] as const];
    writeFileSync(
      join(path, 'a.tar'),
      tarArchive(
        files.map(([name, content]) => Buffer.concat([paxHeader([['path', name]]), tarFile('long', content)])),
      ),
    );
    await resolvesTo(`oci-archive:${join(path, 'a.tar')}`, image);
    writeFileSync(join(path, 'blobs', 'sha512', hex), Buffer.alloc(bytes.length));
    assert.match((await failure(`oci:${path}`)).at(-1) ?? '', /^Blob digest mismatch: expected sha512:/);
  });
});

test('an index that lists one blob very often is searched in time', async () => {
  await withTempDir(async (path) => {
    const other = buildImage([dataLayerTar(10)], { os: 'plan9' });
    const entry = other.manifest.descriptor;
    const inner = blob(OCI_INDEX, indexJson(Array.from({ length: 5000 }, () => entry)));
    const layout = new LayoutBuilder().addBlobs(other).addBlob(inner.bytes);
    for (let i = 0; i < 5000; i++) layout.addEntry(inner.descriptor);
    layout.write(path);
    const start = cpuTime();
    assert.match((await failure(`oci:${path}`)).at(-1) ?? '', /^No manifest found/);
    assert.ok(cpuTime() - start < 5000);
  });
});

test('an index that contains itself ends in an error', async () => {
  await withTempDir(async (path) => {
    // The digest is wrong by necessity, but it is the nesting or the digest that stops it, never the stack.
    const loop = blob(OCI_INDEX, indexJson([]));
    new LayoutBuilder()
      .addBlob(loop.bytes)
      .corrupt(loop.descriptor.digest, () => indexJson([loop.descriptor]))
      .addEntry({ ...loop.descriptor, size: indexJson([loop.descriptor]).length })
      .write(path);
    await assert.rejects((await open(`oci:${path}`)).manifest(), { code: 'BLOB_DIGEST_MISMATCH' });
  });
});

test('of an archive only members of the right names count, and the last of a name', async () => {
  await withTempDir(async (path) => {
    const file = join(path, 'image.tar');
    const image = fxOci();
    const files = [...new LayoutBuilder().addImage(image).files()];
    const write = (parts: readonly Buffer[]): void => writeFileSync(file, tarArchive(parts));
    const plain = files.map(([name, bytes]) => tarFile(name, bytes));

    write(files.map(([name, bytes]) => tarFile(`./${name}`, bytes)));
    await resolvesTo(`oci-archive:${file}`, image);
    write([tarFile('index.json', 'old'), ...plain, tarFile('../index.json', 'x'), tarFile('a/index.json', 'y')]);
    await resolvesTo(`oci-archive:${file}`, image);
    write(files.map(([name, bytes]) => tarFile(`/${name}`, bytes)));
    await resolvesTo(`oci-archive:${file}`, image);
    write(files.map(([name, bytes]) => Buffer.concat([paxHeader([['path', name]]), tarFile('other', bytes)])));
    await resolvesTo(`oci-archive:${file}`, image);
    write([...plain, tarDirectory('blobs/')]);
    await resolvesTo(`oci-archive:${file}`, image);
    write([...plain, tarSymlink('index.json', '/etc/passwd')]);
    const message = 'Invalid archive: it has no file "index.json", a link to "etc/passwd"';
    assert.equal((await failure(`oci-archive:${file}`)).at(-1), message);
    write(plain.slice(2));
    assert.match((await failure(`oci-archive:${file}`))[1] ?? '', /Cannot find the Image Index/);
    write([]);
    assert.match((await failure(`oci-archive:${file}`))[1] ?? '', /Cannot find the Image Index/);
  });
});

test('archives that are cut short are refused', async () => {
  await withTempDir(async (path) => {
    const file = join(path, 'image.tar');
    const archive = new LayoutBuilder().addImage(fxOci()).archive();
    writeFileSync(file, archive.subarray(0, 700));
    await assert.rejects(open(`oci-archive:${file}`), { code: 'INVALID_ARCHIVE' });
    writeFileSync(file, tarHeader({ name: 'index.json', size: 2 ** 30 }));
    await assert.rejects(open(`oci-archive:${file}`), { code: 'INVALID_ARCHIVE' });
    const manyRegions = sparseTars(sparseFile(1000, Array(5).fill([0, 0])), 'index.json').gnu;
    writeFileSync(file, manyRegions.subarray(0, 512));
    await assert.rejects(open(`oci-archive:${file}`), { code: 'INVALID_ARCHIVE' });
    writeFileSync(file, Buffer.from('not a tar'.repeat(100)));
    await assert.rejects(open(`oci-archive:${file}`), { code: 'INVALID_TAR' });
    writeFileSync(file, '');
    assert.match((await failure(`oci-archive:${file}`))[1] ?? '', /Cannot find the Image Index/);
  });
});

test('a reference that only skopeo could read, or of no transport, says what to do', async () => {
  const config = { environment: { PATH: '/nonexistent' } };
  await assert.rejects(openSource('docker-daemon:busybox:1', { registry: { config } }), (error: Error) => {
    assert.equal(errorCode(error), 'SKOPEO_NOT_FOUND');
    assert.deepEqual(errorChain(error).slice(0, 2), ['Creating ImageProxy', 'Cannot find the program skopeo']);
    assert.match(findCause(error, SkopeoError)?.hint ?? '', /install the package skopeo/);
    return true;
  });
  assert.deepEqual(await failure('/no/colon'), ['Parsing image reference transport', "Missing ':' in /no/colon"]);
  assert.deepEqual(await failure('foo:///bar'), ['Parsing image reference transport', 'Invalid transport: foo']);
});

test('a program in the current directory is never run', async () => {
  await withTempDir(async (path) => {
    const witness = join(path, 'witness');
    writeFileSync(join(path, 'skopeo'), `#!/bin/sh\ntouch ${witness}\n`, { mode: 0o755 });
    const before = process.cwd();
    process.chdir(path);
    try {
      for (const PATH of ['', '.', './', ':', `:/nonexistent:`, '.:/nonexistent']) {
        const config = { environment: { PATH } };
        await assert.rejects(openSource('docker-daemon:busybox:1', { registry: { config } }), {
          code: 'SKOPEO_NOT_FOUND',
        });
      }
      assert.equal(existsSync(witness), false);
    } finally {
      process.chdir(before);
    }
  });
});

test('the digest of a manifest is that of its bytes, however unusual', async () => {
  await withTempDir(async (path) => {
    const image = fxOci({
      editManifest: (json) => Buffer.from(`${JSON.stringify(JSON.parse(json.toString()), null, '\t')}\n`),
    });
    new LayoutBuilder().addImage(image).write(path);
    const manifest = await (await open(`oci:${path}`)).manifest();
    assert.equal(manifest.digest, sha256ContentDigest(image.manifest.bytes));
    assert.ok(manifest.raw.includes('\t\t'));
  });
});

test('a damaged archive gives an error of this library or the right content, never anything else', async () => {
  await withTempDir(async (path) => {
    const file = join(path, 'image.tar');
    const image = fxOci();
    const archive = new LayoutBuilder().addImage(image).archive();
    const change = fc.record({ at: fc.nat({ max: archive.length - 1 }), to: fc.nat({ max: 255 }) });
    const damaged = fc.record({ changes: fc.array(change, { maxLength: 3 }), length: fc.nat({ max: archive.length }) });
    const runs = Number(process.env['COMPOSEFS_TEST_FUZZ'] ?? 300);
    await fc.assert(
      fc.asyncProperty(damaged, async ({ changes, length }) => {
        const bytes = Buffer.from(archive.subarray(0, changes.length === 0 ? length : archive.length));
        for (const { at, to } of changes) bytes[at] = to;
        writeFileSync(file, bytes);
        try {
          const manifest = await (await open(`oci-archive:${file}`)).manifest();
          assert.equal(manifest.digest, image.manifest.descriptor.digest);
        } catch (error) {
          assert.ok(error instanceof ComposefsError, String(error));
          assert.notEqual(error.code, 'INTERNAL');
        }
      }),
      { numRuns: runs },
    );
  });
});

test('blobs of an archive may be links to other members', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const files = [...new LayoutBuilder().addImage(image).files()];
    const stored = files.map(([, content], i) => tarFile(`store/${i}`, content));
    const hardLinks = files.map(([name], i) => tarHardlink(name, `store/${i}`));
    const symlinks = files.map(([name], i) =>
      tarSymlink(`./${name}`, `${'../'.repeat(name.split('/').length - 1)}store/${i}`),
    );
    for (const [name, links] of Object.entries({ hardLinks, symlinks })) {
      writeFileSync(join(path, name), tarArchive([...stored, ...links]));
      await resolvesTo(`oci-archive:${join(path, name)}`, image);
    }
    writeFileSync(join(path, 'out'), tarArchive([tarSymlink('index.json', '../../etc/passwd')]));
    const message = 'Invalid archive: it has no file "index.json", a link to "../../etc/passwd"';
    assert.equal((await failure(`oci-archive:${join(path, 'out')}`)).at(-1), message);
  });
});
