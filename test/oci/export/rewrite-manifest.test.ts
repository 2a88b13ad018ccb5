import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compressedMediaType, layerCompression } from '../../../src/oci/export/layer-compression.js';
import { addToIndex, checkRefName, EMPTY_INDEX } from '../../../src/oci/export/layout-index.js';
import { rewriteManifest } from '../../../src/oci/export/rewrite-manifest.js';
import { type OciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { failsWith } from '../oci-support.js';

const digest = (text: string): OciDigest => sha256ContentDigest(Buffer.from(text));
const OCI = 'application/vnd.oci.image.layer.v1.tar';
const FOREIGN = 'application/vnd.oci.image.layer.nondistributable.v1.tar';
const DOCKER = 'application/vnd.docker.image.rootfs.diff.tar';

test('media types change in what they say of the compression only', () => {
  for (const plain of [OCI, FOREIGN]) {
    for (const before of [plain, `${plain}+gzip`, `${plain}+zstd`]) {
      assert.equal(compressedMediaType(before, 'none'), plain);
      assert.equal(compressedMediaType(before, 'gzip'), `${plain}+gzip`);
      assert.equal(compressedMediaType(before, 'zstd'), `${plain}+zstd`);
    }
  }
  for (const before of [DOCKER, `${DOCKER}.gzip`, `${DOCKER}.zstd`]) {
    assert.equal(compressedMediaType(before, 'none'), DOCKER);
    assert.equal(compressedMediaType(before, 'gzip'), `${DOCKER}.gzip`);
  }
});

test('`same` is the format of the media type, and only what is compressed has a level', () => {
  const of = (mediaType: string): unknown => layerCompression({ mediaType, digest: digest('x'), size: 1 }, 'same', 4);
  assert.deepEqual(of(OCI), { format: 'none', level: undefined });
  assert.deepEqual(of(`${OCI}+zstd`), { format: 'zstd', level: 4 });
  assert.deepEqual(of(`${DOCKER}.gzip`), { format: 'gzip', level: 4 });
});

const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest('c'), size: 3 };

test('only what the old blobs had goes; unknown fields and large integers stay', () => {
  const raw = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      later: 'PLACE',
      config,
      layers: [
        {
          size: 1,
          mediaType: `${FOREIGN}+gzip`,
          digest: digest('a'),
          urls: ['https://example.com/a'],
          data: 'YQ==',
          annotations: {
            'io.github.containers.zstd-chunked.manifest-position': '1:2:3:4',
            'containerd.io/snapshot/stargz/toc.digest': 'sha256:x',
            title: 'kept',
          },
          later: true,
        },
        { mediaType: OCI, digest: digest('b'), size: 2, urls: ['https://example.com/b'] },
      ],
      annotations: { a: 'b' },
    }).replace('"PLACE"', '123456789012345678901'),
  );
  const changed = { mediaType: `${FOREIGN}+zstd`, digest: digest('new'), size: 77 };
  const manifest = rewriteManifest(raw, [changed, undefined]);
  assert.equal(
    manifest.raw.toString(),
    `{"schemaVersion":2,"later":123456789012345678901,"config":${JSON.stringify(config)},"layers":[` +
      `{"size":77,"mediaType":"${FOREIGN}+zstd","digest":"${digest('new')}","later":true,"annotations":{"title":"kept"}},` +
      `{"mediaType":"${OCI}","digest":"${digest('b')}","size":2,"urls":["https://example.com/b"]}],"annotations":{"a":"b"}}`,
  );
});

test('a Docker manifest stays one, but for Zstandard, which it has no type for', () => {
  const dockerConfig = { ...config, mediaType: 'application/vnd.docker.container.image.v1+json' };
  const raw = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: dockerConfig,
      layers: [{ mediaType: `${DOCKER}.gzip`, digest: digest('a'), size: 1 }],
    }),
  );
  const of = (mediaType: string): ReturnType<typeof rewriteManifest>['value'] =>
    rewriteManifest(raw, [{ mediaType, digest: digest('n'), size: 2 }]).value;
  assert.equal(of(DOCKER).mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
  assert.equal(of(DOCKER).layers[0]?.mediaType, DOCKER);
  const oci = of(`${DOCKER}.zstd`);
  assert.equal(oci.mediaType, 'application/vnd.oci.image.manifest.v1+json');
  assert.equal(oci.config.mediaType, 'application/vnd.oci.image.config.v1+json');
  assert.equal(oci.layers[0]?.mediaType, `${OCI}+zstd`);
});

const MANIFEST = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digest('m'), size: 5 };
const entries = (raw: Buffer): unknown[] => JSON.parse(raw.toString()).manifests;
const tag = (name: string): object => ({ annotations: { 'org.opencontainers.image.ref.name': name } });

test('an image is listed once without a tag, and once for each tag', () => {
  const bare = addToIndex(EMPTY_INDEX, MANIFEST, undefined);
  assert.deepEqual(entries(bare), [MANIFEST]);
  assert.deepEqual(addToIndex(bare, MANIFEST, undefined), bare);
  const first = addToIndex(bare, MANIFEST, 'a');
  assert.deepEqual(entries(first), [{ ...MANIFEST, ...tag('a') }]);
  const second = addToIndex(first, MANIFEST, 'b');
  assert.deepEqual(entries(second), [
    { ...MANIFEST, ...tag('a') },
    { ...MANIFEST, ...tag('b') },
  ]);
  assert.deepEqual(entries(addToIndex(second, MANIFEST, 'a')), [
    { ...MANIFEST, ...tag('b') },
    { ...MANIFEST, ...tag('a') },
  ]);
});

test('an index that is none is refused', () => {
  for (const raw of ['[]', '{}', '{"schemaVersion":2,"manifests":{}}']) {
    assert.throws(() => addToIndex(Buffer.from(raw), MANIFEST, 'a'), failsWith('INVALID_DOCUMENT'));
  }
  assert.throws(() => addToIndex(Buffer.from('{'), MANIFEST, 'a'), failsWith('INVALID_DOCUMENT', 'invalid JSON'));
});

test('tags of layouts are those of the image specification', () => {
  for (const good of ['v1', 'a/b:c@d', 'docker.io/library/x:1', 'a--b', 'A+1', '0']) checkRefName(good);
  for (const bad of ['', '-a', 'a-', 'a b', 'a//b', 'ä', 'a\n', 'a..b', `a${'b'.repeat(1024)}`]) {
    assert.throws(() => checkRefName(bad), failsWith('INVALID_REF_NAME'));
  }
});
