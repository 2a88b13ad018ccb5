import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { type ExportOptions, exportImage } from '../../../src/oci/export/export-image.js';
import { pull } from '../../../src/oci/import/pull.js';
import { digestEncoded, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { addReferrer } from '../../../src/oci/store/referrers.js';
import { RecordingReporter } from '../../../src/progress.js';
import {
  blob,
  buildArtifact,
  buildImage,
  fxLarge,
  fxOci,
  type ImageOptions,
  LayoutBuilder,
  type TestImage,
} from '../../support/oci-fixtures.js';
import { tarArchive, tarFile } from '../../support/tar-builder.js';
import { failsWith, layoutOf, PULL, pulledImage, replaceObject, tempDir, tempRepository } from '../oci-support.js';

const TARS = [
  tarArchive([tarFile('usr/a', 'a'.repeat(5000)), tarFile('usr/small', 'small')]),
  tarArchive([tarFile('usr/b', Buffer.alloc(300_000, 'b'))]),
];

const storedTars = (context: TestContext, options: ImageOptions): ReturnType<typeof pulledImage> =>
  pulledImage(context, buildImage(TARS, options));

/** All files of a directory, by path. */
function files(path: string): Map<string, Buffer> {
  const names = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    names
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((file) => [file.slice(path.length + 1), readFileSync(file)]),
  );
}

/** What a pull of it gives, into a repository of its own. */
async function pulled(context: TestContext, reference: string): Promise<OciImage> {
  const repo = await tempRepository(context, { algorithm: 'sha256' });
  const { manifestDigest } = await pull(repo, reference, 'x', PULL);
  return OciImage.open(repo, manifestDigest);
}

test('an image whose layers were not compressed goes out as it came, to the byte', async (context) => {
  const original = buildImage(TARS, { compression: 'none' });
  const { repo, image } = await pulledImage(context, original);
  const path = join(tempDir(context), 'out');
  const result = await exportImage(repo, image, `oci:${path}:v1`);
  const { digest } = original.manifest.descriptor;
  assert.deepEqual(result, {
    manifestDigest: digest,
    pulledDigest: digest,
    configDigest: original.config.descriptor.digest,
  });
  assert.deepEqual(
    files(path),
    new Map([...new LayoutBuilder().addBlobs(original).files()].sort()).set(
      'index.json',
      Buffer.from(
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{' +
          `"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"${digest}",` +
          `"size":${original.manifest.bytes.length},"annotations":{"org.opencontainers.image.ref.name":"v1"}}]}`,
      ),
    ),
  );
  assert.deepEqual(readdirSync(join(path, '..')).sort(), ['out']);
});

test('an image whose blobs are lost does not go out under another digest unasked', async (context) => {
  const original = buildImage(TARS, { compression: 'gzip' });
  const { repo, image } = await pulledImage(context, original);
  const directory = tempDir(context);
  for (const target of ['oci:out', 'oci-archive:out', 'dir:out']) {
    const to = target.replace('out', join(directory, 'out'));
    await assert.rejects(
      exportImage(repo, image, to),
      failsWith('DIGEST_WOULD_CHANGE', original.manifest.descriptor.digest, original.diffIds[0] ?? ''),
    );
    assert.deepEqual(readdirSync(directory), []);
  }
});

const FORMATS = [
  { recompress: 'none', suffix: '' },
  { recompress: 'gzip', suffix: '+gzip' },
  { recompress: 'zstd', suffix: '+zstd' },
  { recompress: 'same', suffix: '+gzip' },
] as const;

for (const { recompress, suffix } of FORMATS) {
  test(`recompressed as '${recompress}' it has the same config, content and file system`, async (context) => {
    const original = buildImage(TARS, { compression: 'gzip' });
    const { repo, image } = await pulledImage(context, original);
    const path = join(tempDir(context), 'out');
    const { manifestDigest } = await exportImage(repo, image, `oci:${path}`, {
      recompress,
      level: suffix === '' ? undefined : 1,
    });
    const copy = await pulled(context, `oci:${path}`);
    assert.equal(copy.manifestDigest, manifestDigest);
    assert.equal(copy.configDigest, original.config.descriptor.digest);
    assert.deepEqual(copy.layerDiffIds(), original.diffIds);
    assert.deepEqual(copy.imageRef(1), image.imageRef(1));
    assert.deepEqual(
      copy.layerDescriptors().map(({ mediaType }) => mediaType),
      TARS.map(() => `application/vnd.oci.image.layer.v1.tar${suffix}`),
    );
    // Nothing depends on how many threads there are, or on the run.
    const again = join(tempDir(context), 'out');
    await exportImage(repo, image, `oci:${again}`, { recompress, level: suffix === '' ? undefined : 1, threads: 1 });
    assert.deepEqual(files(again), files(path));
  });
}

test('the digest of what is compressed with Zstandard is the same everywhere', async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'gzip' });
  const { manifestDigest } = await exportImage(repo, image, 'oci:/nowhere', { recompress: 'zstd', dryRun: true });
  assert.equal(manifestDigest, 'sha256:f99333a9c312b677e0637eb60404e7bd8e180f993f33e935ce33ad236f49b1e6');
});

test('a dry run finds out the digest and writes nothing', async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'gzip' });
  const directory = tempDir(context);
  for (const transport of ['oci', 'oci-archive', 'dir', 'docker-archive', 'tar']) {
    await exportImage(repo, image, `${transport}:${directory}/out`, { recompress: 'gzip', dryRun: true });
  }
  assert.deepEqual(readdirSync(directory), []);
  const dry = await exportImage(repo, image, `oci:${directory}/out`, { recompress: 'gzip', dryRun: true });
  assert.deepEqual(await exportImage(repo, image, `oci:${directory}/out`, { recompress: 'gzip' }), dry);
});

test('a layer that is called compressed and is not goes out as it came', async (context) => {
  const mislabelled = buildImage(TARS, {
    compression: 'none',
    layerDescriptor: () => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }),
  });
  const { repo, image } = await pulledImage(context, mislabelled);
  const directory = tempDir(context);
  for (const recompress of [undefined, 'same'] as const) {
    const { manifestDigest } = await exportImage(repo, image, `oci:${directory}/${recompress}`, { recompress });
    assert.equal(manifestDigest, mislabelled.manifest.descriptor.digest);
  }
});

test('an archive of a layout holds what the layout does', async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'none' });
  const directory = tempDir(context);
  const { manifestDigest } = await exportImage(repo, image, `oci-archive:${directory}/a.tar:v1`);
  assert.equal((await pulled(context, `oci-archive:${directory}/a.tar:v1`)).manifestDigest, manifestDigest);
  assert.equal(manifestDigest, image.manifestDigest);
  await exportImage(repo, image, `oci-archive:${directory}/b.tar:v1`);
  assert.deepEqual(readFileSync(join(directory, 'a.tar')), readFileSync(join(directory, 'b.tar')));
  const pieces: Buffer[] = [];
  const output: ExportOptions['output'] = async (content) => {
    for await (const chunk of content) pieces.push(Buffer.from(chunk));
  };
  await exportImage(repo, image, 'oci-archive:-:v1', { output });
  assert.deepEqual(Buffer.concat(pieces), readFileSync(join(directory, 'a.tar')));
});

test('a Docker archive needs no compression, and its image has the config that was pulled', async (context) => {
  const original = buildImage([...TARS, TARS[0] ?? Buffer.alloc(0)], { compression: 'gzip' });
  const { repo, image } = await pulledImage(context, original);
  const path = join(tempDir(context), 'a.tar');
  const result = await exportImage(repo, image, `docker-archive:${path}:team/app:2`);
  assert.equal(result.manifestDigest, undefined);
  const copy = await pulled(context, `docker-archive:${path}:docker.io/team/app:2`);
  assert.deepEqual(copy.layerDiffIds(), original.diffIds);
  assert.deepEqual(copy.imageRef(1), image.imageRef(1));
  const start = readFileSync(path).subarray(512, 2048).toString();
  assert.match(start, /^\[\{"Config":"[0-9a-f]{64}\.json","RepoTags":\["docker\.io\/team\/app:2"\],"Layers":\["/);
  await assert.rejects(exportImage(repo, image, `docker-archive:${path}.2:App`), failsWith('INVALID_IMAGE_REFERENCE'));
  assert.equal(existsSync(`${path}.2`), false);
});

test('dir: has the files of skopeo', async (context) => {
  const original = buildImage(TARS, { compression: 'none' });
  const { repo, image } = await pulledImage(context, original);
  const path = join(tempDir(context), 'out');
  await exportImage(repo, image, `dir:${path}`);
  const blobs = [original.config, ...original.layers].map(
    ({ descriptor, bytes }) => [digestEncoded(descriptor.digest), bytes] as const,
  );
  const expected = [
    ...blobs,
    ['manifest.json', original.manifest.bytes] as const,
    ['version', Buffer.from('Directory Transport Version: 1.1\n')] as const,
  ];
  assert.deepEqual(files(path), new Map([...expected].sort(([a], [b]) => (a < b ? -1 : 1))));
  assert.equal((await pulled(context, `dir:${path}`)).manifestDigest, image.manifestDigest);
  await assert.rejects(exportImage(repo, image, `dir:${path}`), failsWith('EEXIST', path));
});

test('an artifact goes out as it came', async (context) => {
  const artifact = buildArtifact([blob('text/plain', Buffer.from('some text')), blob('text/plain', Buffer.alloc(0))]);
  const { repo, image } = await pulledImage(context, artifact);
  const path = join(tempDir(context), 'out');
  const { manifestDigest } = await exportImage(repo, image, `oci:${path}`, { recompress: 'zstd' });
  assert.equal(manifestDigest, artifact.manifest.descriptor.digest);
  for (const transport of ['docker-archive', 'tar']) {
    await assert.rejects(exportImage(repo, image, `${transport}:${path}.tar`), failsWith('NOT_A_CONTAINER_IMAGE'));
  }
});

test('a layout that is there gets the image added, and keeps all else', async (context) => {
  const other = fxOci({ compression: 'none' });
  const { repo, image } = await storedTars(context, { compression: 'none' });
  const layout = new LayoutBuilder()
    .addImage(other, { tag: 'other' })
    .addImage(other, { tag: 'v1' })
    .write(join(tempDir(context), 'l'));
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({ ...index, annotations: { mine: 'stays' }, later: 12345678901234567890n.toString() }),
  );
  writeFileSync(join(layout, 'README'), 'stays');
  await exportImage(repo, image, `oci:${layout}:v1`);
  assert.equal((await pulled(context, `oci:${layout}:v1`)).manifestDigest, image.manifestDigest);
  assert.equal((await pulled(context, `oci:${layout}:other`)).manifestDigest, other.manifest.descriptor.digest);
  const after = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  assert.deepEqual(after.annotations, { mine: 'stays' });
  assert.equal(after.later, '12345678901234567890');
  assert.deepEqual(
    after.manifests.map(({ digest, annotations = {} }: { digest: string; annotations?: Record<string, string> }) => [
      digest,
      annotations['org.opencontainers.image.ref.name'],
    ]),
    [
      [other.manifest.descriptor.digest, 'other'],
      // Nothing is lost: the image that had the tag is there without.
      [other.manifest.descriptor.digest, undefined],
      [image.manifestDigest, 'v1'],
    ],
  );
  assert.equal(readFileSync(join(layout, 'README'), 'utf8'), 'stays');
  const before = files(layout);
  await exportImage(repo, image, `oci:${layout}:v1`);
  assert.deepEqual(files(layout), before);
});

test('a damaged blob of a layout is written anew', async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'none' });
  const layout = join(tempDir(context), 'l');
  await exportImage(repo, image, `oci:${layout}`);
  const before = files(layout);
  for (const name of before.keys()) {
    if (!name.startsWith('blobs/')) continue;
    writeFileSync(join(layout, name), Buffer.alloc(before.get(name)?.length ?? 0));
  }
  await exportImage(repo, image, `oci:${layout}`);
  assert.deepEqual(files(layout), before);
});

test('what is no layout is left alone', async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'none' });
  const directory = tempDir(context);
  mkdirSync(join(directory, 'full'));
  writeFileSync(join(directory, 'full', 'x'), '');
  writeFileSync(join(directory, 'file'), 'x');
  mkdirSync(join(directory, 'bad'));
  writeFileSync(join(directory, 'bad', 'index.json'), '[]');
  mkdirSync(join(directory, 'linked'));
  writeFileSync(join(directory, 'linked', 'index.json'), '{"schemaVersion":2,"manifests":[]}');
  symlinkSync(join(directory, 'full'), join(directory, 'linked', 'blobs'));
  const before = files(directory);
  const to = (name: string): Promise<unknown> => exportImage(repo, image, `oci:${directory}/${name}`);
  await assert.rejects(to('full'), failsWith('NOT_A_LAYOUT', `${directory}/full is there, and no OCI layout`));
  await assert.rejects(to('file'), failsWith('NOT_A_DIRECTORY', `${directory}/file is there and no directory`));
  await assert.rejects(to('bad'), failsWith('INVALID_DOCUMENT'));
  await assert.rejects(to('linked'), failsWith('NOT_A_DIRECTORY', `${directory}/linked/blobs`));
  await assert.rejects(to('none/below'), failsWith('ENOENT'));
  await assert.rejects(exportImage(repo, image, `oci:${directory}/new:-v1`), failsWith('INVALID_REF_NAME', '-v1'));
  assert.deepEqual(files(directory), before);
  assert.deepEqual(readdirSync(directory).sort(), ['bad', 'file', 'full', 'linked']);
});

test('an empty directory becomes a layout, and is empty again after a failure', async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'none' });
  const directory = tempDir(context);
  await assert.rejects(exportImage(repo, image, `oci:${directory}:%`), failsWith('INVALID_REF_NAME'));
  assert.deepEqual(readdirSync(directory), []);
  await exportImage(repo, image, `oci:${directory}:v1`);
  assert.equal((await pulled(context, `oci:${directory}:v1`)).manifestDigest, image.manifestDigest);
});

test('a damaged layer is found before anything has a name', async (context) => {
  const { repo, image } = await pulledImage(context, fxLarge({ compression: 'none' }));
  replaceObject(repo, computeVerity('sha256', Buffer.alloc(4096, 0x37)), Buffer.alloc(4096, 0x38));
  const directory = tempDir(context);
  const there = new LayoutBuilder().addImage(fxOci(), { tag: 'a' }).write(join(directory, 'there'));
  const before = files(there);
  for (const target of [
    'oci:there:b',
    'oci:new',
    'oci-archive:a.tar',
    'docker-archive:a.tar',
    'dir:new',
    'tar:a.tar',
  ]) {
    await assert.rejects(
      exportImage(repo, image, target.replace(':', `:${directory}/`)),
      failsWith('DIGEST_MISMATCH'),
      target,
    );
    assert.deepEqual(readdirSync(directory), ['there'], target);
    assert.deepEqual(files(there), before);
    assert.deepEqual(readdirSync(there).sort(), ['blobs', 'index.json', 'oci-layout']);
  }
});

test('an aborted export leaves nothing', async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'gzip' });
  const directory = tempDir(context);
  for (const transport of ['oci', 'oci-archive', 'docker-archive', 'dir', 'tar']) {
    const controller = new AbortController();
    const reason = new Error('enough');
    const options: ExportOptions = {
      recompress: 'gzip',
      signal: controller.signal,
      onPrepared: () => controller.abort(reason),
    };
    await assert.rejects(exportImage(repo, image, `${transport}:${directory}/out`, options), reason);
    assert.deepEqual(readdirSync(directory), []);
    const early: ExportOptions = { recompress: 'gzip', signal: AbortSignal.abort(reason) };
    await assert.rejects(exportImage(repo, image, `${transport}:${directory}/out`, early), reason);
    assert.deepEqual(readdirSync(directory), []);
  }
});

test('a file that is there is replaced only if that is wanted', async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'none' });
  const directory = tempDir(context);
  const path = join(directory, 'a.tar');
  for (const transport of ['oci-archive', 'docker-archive', 'tar']) {
    writeFileSync(path, 'mine');
    await assert.rejects(
      exportImage(repo, image, `${transport}:${path}`),
      failsWith('EEXIST', `${path} exists already`),
    );
    assert.equal(readFileSync(path, 'utf8'), 'mine');
    await exportImage(repo, image, `${transport}:${path}`, { replace: true });
    assert.notEqual(readFileSync(path, 'utf8'), 'mine');
    await assert.rejects(exportImage(repo, image, `${transport}:${directory}`, { replace: true }), failsWith('EEXIST'));
    assert.deepEqual(readdirSync(directory), ['a.tar']);
  }
});

test('exports into one layout at once all arrive', async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'none' });
  const layout = join(tempDir(context), 'l');
  mkdirSync(layout);
  await Promise.all(['a', 'b', 'c', 'd'].map((tag) => exportImage(repo, image, `oci:${layout}:${tag}`)));
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  const tags = manifests.map(
    ({ annotations }: { annotations: Record<string, string> }) => annotations['org.opencontainers.image.ref.name'],
  );
  assert.deepEqual(tags.sort(), ['a', 'b', 'c', 'd']);
});

test('an unreadable directory is an error of the system', {
  skip: process.getuid?.() === 0 ? 'root may read it' : false,
}, async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'none' });
  const directory = tempDir(context);
  chmodSync(directory, 0o500);
  await assert.rejects(exportImage(repo, image, `oci:${directory}/x`), failsWith('EACCES'));
});

test('progress tells of each layer and of its bytes before compression', async (context) => {
  const { repo, image } = await storedTars(context, { compression: 'gzip' });
  const progress = new RecordingReporter();
  await exportImage(repo, image, `oci:${tempDir(context)}/x`, { recompress: 'zstd', progress });
  const done = progress.events.filter(({ type }) => type === 'done');
  assert.deepEqual(
    new Set(done),
    new Set(TARS.map((tar) => ({ type: 'done', id: sha256ContentDigest(tar), transferred: tar.length }))),
  );
});

for (const transport of ['oci', 'oci-archive'] as const) {
  test(`what refers to an image goes along into ${transport}:, and comes back`, async (context) => {
    const original = buildImage(TARS, { compression: 'none' });
    const refer = (subject: TestImage, text: string): TestImage =>
      buildArtifact([blob('text/plain', Buffer.from(text))], undefined, {
        artifactType: 'application/x-signature',
        subject: subject.manifest.descriptor,
      });
    const sbom = refer(original, 'sbom');
    const signature = refer(sbom, 'signature of the sbom');
    const other = buildImage(TARS, { compression: 'none', config: { author: 'another' } });
    const layout = layoutOf(context, original, (each) =>
      each.addImage(sbom).addImage(refer(other, 'of another image')),
    );
    const repo = await tempRepository(context, { algorithm: 'sha256' });
    const first = await pull(repo, layout, 'a', { ...PULL, referrers: true });
    assert.deepEqual(first.referrers, [sbom.manifest.descriptor.digest]);
    await pull(repo, layoutOf(context, signature), 'signature', PULL);
    addReferrer(repo, sbom.manifest.descriptor.digest, signature.manifest.descriptor.digest);
    const image = OciImage.openRef(repo, 'a');
    const target = `${transport}:${join(tempDir(context), 'out')}:v1`;
    const { referrers } = await exportImage(repo, image, target, { referrers: true });
    assert.deepEqual(referrers, [sbom.manifest.descriptor.digest, signature.manifest.descriptor.digest]);
    const again = await tempRepository(context, { algorithm: 'sha256' });
    const back = await pull(again, target, 'x', { ...PULL, referrers: true });
    assert.equal(back.manifestDigest, original.manifest.descriptor.digest);
    assert.equal(back.referrers.length, 1);
    // Without a tag it is the image that is meant, too.
    assert.equal((await pull(again, target.replace(/:v1$/, ''), 'y', PULL)).manifestDigest, back.manifestDigest);
    const without = `${transport}:${join(tempDir(context), 'out')}:v1`;
    assert.equal((await exportImage(repo, image, without)).referrers, undefined);
    assert.deepEqual((await pull(again, without, 'z', { ...PULL, referrers: true })).referrers, []);
  });
}

test('what refers to an image stays behind where it gets another digest, and other targets cannot hold it', async (context) => {
  const original = buildImage(TARS, { compression: 'gzip' });
  const { repo, image } = await pulledImage(context, original);
  const signature = buildArtifact([blob('text/plain', Buffer.from('signed'))], undefined, {
    subject: original.manifest.descriptor,
  });
  const { manifestDigest } = await pull(repo, layoutOf(context, signature), 'signature', PULL);
  addReferrer(repo, image.manifestDigest, manifestDigest);
  const progress = new RecordingReporter();
  const path = join(tempDir(context), 'out');
  const options = { referrers: true, recompress: 'zstd', progress } as const;
  const result = await exportImage(repo, image, `oci:${path}:v1`, options);
  assert.deepEqual(result.referrers, []);
  const text = `what refers to ${image.manifestDigest} stays behind: the image leaves as ${result.manifestDigest}`;
  assert.deepEqual(
    progress.events.filter(({ type }) => type === 'message'),
    [{ type: 'message', level: 'warning', text }],
  );
  for (const transport of ['dir', 'docker-archive', 'tar']) {
    await assert.rejects(
      exportImage(repo, image, `${transport}:${path}-${transport}`, { referrers: true }),
      failsWith('INVALID_ARGUMENT', `${transport}: cannot hold what refers to an image`),
    );
  }
});
