import assert from 'node:assert/strict';
import { existsSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorChain, errorCode, findCause } from '../../../src/errors.js';
import { readBlob } from '../../../src/oci/blob/verified-read.js';
import { digestEncoded } from '../../../src/oci/model/digest.js';
import {
  DELTA_ARTIFACT_TYPE,
  DOCKER_IMAGE_CONFIG,
  DOCKER_MANIFEST,
  OCI_INDEX,
  REF_NAME_ANNOTATION,
} from '../../../src/oci/model/media-types.js';
import { parsePlatform } from '../../../src/oci/model/platform.js';
import { SkopeoError } from '../../../src/oci/skopeo/proxy-error.js';
import { locateLayer } from '../../support/layer-blobs.js';
import {
  blob,
  buildArtifact,
  fxBoot,
  fxLarge,
  fxOci,
  indexJson,
  LayoutBuilder,
  spdxArtifact,
} from '../../support/oci-fixtures.js';
import { openSource } from '../../support/open-source.js';
import { withTempDir } from '../../support/paths.js';
import { sparseContent, sparseTars } from '../../support/sparse-tars.js';
import { failure, open, RESOLVING, resolvesTo } from './source-support.js';

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
