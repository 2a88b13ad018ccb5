import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import {
  bootImage,
  composefs,
  createFilesystem,
  exportImage,
  findImage,
  inspectImage,
  mount,
  OciImage,
  openConfig,
  openImageFiles,
  parseOciDigest,
  pull,
  writeConfigRaw,
} from '../src/index.js';
import { writeManifestRaw } from '../src/oci/store/manifest-stream.js';
import { makeAside } from '../test/oci/call-fixture.js';
import { type PublicCall, publicCalls } from '../test/oci/public-calls.js';
import { longestTurn } from '../test/support/longest-turn.js';
import { AMD64, buildImage, LayoutBuilder } from '../test/support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../test/support/tar-builder.js';

/**
 * How long each public call keeps its thread: the longest time for which nothing else got its turn.
 *
 *     node dist/bench/event-loop.js DIR [REFERENCE] [WORD…]
 *
 * Makes in DIR, unless they are there, a repository with the image REFERENCE, one of 100,000 inodes, and 1,000 tags of
 * 1,000 manifests; then makes each call whose name contains one of the words. Prints milliseconds, of three calls the
 * least: the processor's, and all of the time but that in which another program had the processor.
 */

const [folder, reference, ...words] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node dist/bench/event-loop.js DIR [REFERENCE] [WORD…]');
const ATTEMPTS = 3;
const { Repository } = composefs;
mkdirSync(folder, { recursive: true });
const path = join(folder, 'repo');
const isThere = existsSync(path);
const { repo } = await Repository.init(path, { algorithm: 'sha256', insecure: true });
const layout = `oci:${join(folder, 'layout')}:large`;
if (!isThere) await make();

async function make(): Promise<void> {
  const entries = [tarDirectory('usr/')];
  for (let index = 0; index < 100_000; index++) {
    if (index % 500 === 0) entries.push(tarDirectory(`usr/${index}/`));
    entries.push(tarFile(`usr/${index - (index % 500)}/${index}`, `${index} `.repeat(index % 10 === 0 ? 200 : 3)));
  }
  entries.push(tarFile('usr/file', Buffer.alloc(300 << 20, 'large')));
  const image = buildImage([tarArchive(entries)], { compression: 'none' });
  new LayoutBuilder().addImage(image, { tag: 'large' }).write(join(folder as string, 'layout'));
  await pull(repo, layout, 'large', { platform: AMD64 });
  if (reference !== undefined) await pull(repo, reference, 'real');
  const small = buildImage([tarArchive([tarDirectory('usr/'), tarFile('usr/a', 'a')])], { compression: 'none' });
  new LayoutBuilder().addImage(small, { tag: 'small' }).write(join(folder as string, 'small'));
  await pull(repo, `oci:${join(folder as string, 'small')}:small`, 'small', { platform: AMD64 });
  const stored = OciImage.openRef(repo, 'small');
  const links = { image: stored.imageRef(2), imageV1: stored.imageRef(1) };
  const diffId = stored.layerDiffIds()[0] ?? '';
  for (let index = 0; index < 1000; index++) {
    const config = JSON.stringify({ ...stored.config, author: `number ${index}` });
    const [digest, verity] = await writeConfigRaw(repo, Buffer.from(config), stored.layerRefs, links);
    const manifest = { ...stored.manifest, config: { ...stored.manifest.config, digest, size: config.length } };
    const json = Buffer.from(JSON.stringify(manifest));
    const manifestDigest = parseOciDigest(`sha256:${createHash('sha256').update(json).digest('hex')}`);
    const layers = [[diffId, stored.layerVerity(diffId) as never]] as const;
    await writeManifestRaw(
      repo,
      json,
      manifestDigest,
      { configDigest: digest, configVerity: verity, layers },
      `tag-${index}`,
    );
  }
  await repo.sync();
}

const image = OciImage.openRef(repo, 'large');
const other = OciImage.openRef(repo, reference === undefined ? 'small' : 'real');
const diffId = parseOciDigest(image.layerDiffIds()[0] ?? '');
const server = new Worker(
  `const { parentPort } = require('node:worker_threads');
  import(${JSON.stringify(new URL('../src/testing/index.js', import.meta.url).href)})
    .then(({ TestRegistry }) => TestRegistry.start()).then(({ host }) => parentPort.postMessage(host));`,
  { eval: true },
);
const host = await new Promise<string>((resolve) => server.once('message', resolve));
const scratch = join(folder, 'scratch');
rmSync(scratch, { recursive: true, force: true });
const mountPoint = join(scratch, 'mnt');
mkdirSync(mountPoint, { recursive: true });
const aside = makeAside(scratch, 64 << 20);
const tree = await createFilesystem(repo, image.configDigest, { configVerity: image.configVerity });
const files = await openImageFiles(repo, image);

const calls: Readonly<Record<string, PublicCall>> = {
  ...(await publicCalls({
    ...aside,
    repo,
    image,
    reference: layout,
    other,
    largeFile: '/usr/file',
    registryHost: host,
    directory: '/usr/include',
  })),
  // What is too short, needs root, or keeps its thread on purpose.
  'Repository.open': async () => (await Repository.open(path)).close(),
  inspectImage: () => inspectImage(repo, image),
  'OciImage.openRef': async () => OciImage.openRef(repo, 'large'),
  openConfig: async () => openConfig(repo, image.configDigest),
  'findImage by a tag': () => findImage(repo, 'large'),
  'findImage by digits': () => findImage(repo, image.manifestDigest.slice(7, 19)),
  writeDumpfile: async () => {
    for (const _ of composefs.writeDumpfile(tree));
  },
  mergeSplitstream: async () => {
    for (const _ of repo.mergeSplitstream(`oci-layer-${diffId}`));
  },
  'fsck, metadata': () => repo.fsck({ metadataOnly: true }),
  openImageFiles: () => openImageFiles(repo, image),
  'ImageFileSystem.stat': () => files.stat('/usr/99500/99999'),
  'ImageFileSystem.readdir': () => files.readdir('/usr'),
  'exportImage oci-archive:, gzip': () =>
    exportImage(repo, image, `oci-archive:${join(scratch, 'gzip')}:a`, {
      replace: true,
      recompress: 'gzip',
      level: 1,
    }),
  bootImage: async () => bootImage(repo, image.manifestDigest),
  'mount, kernel': async () => (await mount(repo, image, mountPoint, { with: 'kernel' })).unmount(),
  'mount, FUSE': async () => (await mount(repo, image, mountPoint, { with: 'fuse' })).unmount(),
};

for (const [name, call] of Object.entries(calls)) {
  if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
  let [cpu, busy] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let failure = '';
  const began = performance.now();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const turn = await longestTurn(() => call({}).catch((error: unknown) => (failure = `  ${error}`.slice(0, 150))));
    cpu = Math.min(cpu, turn.cpu);
    busy = Math.min(busy, turn.busy);
  }
  const wall = (performance.now() - began) / ATTEMPTS;
  console.log(
    `${name.padEnd(32)} ${cpu.toFixed(1).padStart(8)} ${busy.toFixed(1).padStart(8)} ${wall.toFixed(0).padStart(8)}${failure}`,
  );
}
repo.close();
await server.terminate();
