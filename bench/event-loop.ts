import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import {
  bootImage,
  checkBoot,
  compareImages,
  composefs,
  createFilesystem,
  exportImage,
  findImage,
  findKept,
  imageHistory,
  imageUsage,
  importLayer,
  inspectImage,
  inspectMachine,
  layerDumpfile,
  layerInfo,
  layerTar,
  linkedErofsImages,
  listImages,
  listStoredImages,
  matchDigest,
  mount,
  OciImage,
  ociFsck,
  openConfig,
  openImageFiles,
  parseOciDigest,
  prepareBoot,
  pruneTags,
  pull,
  pushImage,
  storeUsage,
  tagImage,
  upgradeRepo,
  writeConfigRaw,
} from '../src/index.js';
import { writeManifestRaw } from '../src/oci/store/manifest-stream.js';
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

async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pieces);
}

const image = OciImage.openRef(repo, 'large');
const other = OciImage.openRef(repo, reference === undefined ? 'small' : 'real');
const diffId = parseOciDigest(image.layerDiffIds()[0] ?? '');
const erofs = image.imageRef(repo.erofsVersion) ?? image.imageRef(1) ?? '';
const scratch = join(folder, 'scratch');
mkdirSync(scratch, { recursive: true });
const trusted = { configVerity: image.configVerity };
const tree = await createFilesystem(repo, image.configDigest, trusted);
const bytes = await composefs.writeErofs(tree, { version: 1, algorithm: 'sha256' });
const files = await openImageFiles(repo, image);
const server = new Worker(
  `const { parentPort } = require('node:worker_threads');
  import(${JSON.stringify(new URL('../src/testing/index.js', import.meta.url).href)})
    .then(({ TestRegistry }) => TestRegistry.start()).then(({ host }) => parentPort.postMessage(host));`,
  { eval: true },
);
const host = await new Promise<string>((resolve) => server.once('message', resolve));
const dumpfile = Buffer.concat([...composefs.writeDumpfile(tree)].map((piece) => Buffer.from(piece)));
const out = join(scratch, 'out');

const calls: Record<string, () => Promise<unknown>> = {
  'Repository.open': async () => (await Repository.open(path)).close(),
  'pull (stored)': () => pull(repo, layout, 'large', { platform: AMD64 }),
  'pull (new)': async () => {
    const target = out;
    const made = await Repository.init(target, { algorithm: 'sha256', insecure: true });
    await pull(made.repo, reference ?? layout, 'x', { platform: AMD64 });
    made.repo.close();
  },
  pushImage: () => pushImage(repo, image, `docker://${host}/large:1`, { registry: { tlsVerify: false } }),
  'pull (registry)': async () => {
    const target = out;
    const made = await Repository.init(target, { algorithm: 'sha256', insecure: true });
    await pull(made.repo, `docker://${host}/large:1`, 'x', { platform: AMD64, registry: { tlsVerify: false } });
    made.repo.close();
  },
  'importLayer (stored)': () => importLayer(repo, diffId, undefined, (async function* () {})()),
  listImages: () => listImages(repo),
  inspectImage: () => inspectImage(repo, image),
  'OciImage.openRef': async () => OciImage.openRef(repo, 'large'),
  openConfig: async () => openConfig(repo, image.configDigest),
  'findImage (tag)': async () => findImage(repo, 'large'),
  'findImage (digits)': async () => findImage(repo, image.manifestDigest.slice(7, 19)),
  'findImage (config)': async () => findImage(repo, image.configDigest),
  'findKept (object)': async () => findKept(repo, image.configVerity.slice(0, 12)),
  linkedErofsImages: async () => linkedErofsImages(repo, erofs as never),
  'createFilesystem (trusted)': () => createFilesystem(repo, image.configDigest, trusted),
  'createFilesystem (verifying)': () => createFilesystem(repo, image.configDigest),
  readImageTree: () => repo.readImageTree(erofs),
  readFilesystem: () => image.readFilesystem(repo, false),
  objectsForImage: () => repo.objectsForImage(erofs),
  commitImage: () => repo.commitImage(tree, 'again'),
  computeImageId: () => composefs.computeImageId(tree, 1, 'sha256'),
  writeErofs: () => composefs.writeErofs(tree, { version: 1, algorithm: 'sha256' }),
  readErofsTree: () => composefs.readErofsTree(bytes, 'sha256'),
  writeImage: () => repo.writeImage(bytes, 'image'),
  'writeDumpfile (sync generator)': async () => {
    for (const _ of composefs.writeDumpfile(tree));
  },
  parseDumpfile: async () => composefs.parseDumpfile(dumpfile, 'sha256'),
  collectObjects: async () => composefs.collectObjects(bytes, 'sha256'),
  layerInfo: () => layerInfo(repo, diffId),
  layerDumpfile: () => drain(layerDumpfile(repo, diffId)),
  layerTar: () => drain(layerTar(repo, diffId)),
  mergeSplitstream: async () => {
    for (const _ of repo.mergeSplitstream(`oci-layer-${diffId}`));
  },
  tagImage: () => tagImage(repo, image.manifestDigest, 'other'),
  pruneTags: () => pruneTags(repo, { olderThan: 1e12 }),
  fsck: () => repo.fsck(),
  'fsck (metadata)': () => repo.fsck({ metadataOnly: true }),
  ociFsck: () => ociFsck(repo),
  gc: () => repo.gc(),
  'gc (dry run)': () => repo.gc({ dryRun: true }),
  sync: () => repo.sync(),
  upgradeRepo: () => upgradeRepo(repo),
  imageUsage: () => imageUsage(repo, { layers: true }),
  storeUsage: () => storeUsage(repo),
  why: async () => composefs.findReasons(repo, (await findKept(repo, image.layerVerity(diffId) ?? '')).id),
  imageHistory: () => imageHistory(repo, image),
  compareImages: () => compareImages(repo, { kind: 'image', image }, { kind: 'image', image: other }),
  matchDigest: () => matchDigest(repo, image, 'ab'.repeat(32)),
  openImageFiles: () => openImageFiles(repo, image),
  'openImageFiles (verify)': () => openImageFiles(repo, image, { verify: true }),
  'files.stat': () => files.stat('/usr/99500/99999'),
  'files.readdir': () => files.readdir('/usr'),
  'files.walk': () => drain(files.walk()),
  'files.readFile': () => files.readFile('/usr/file'),
  'files.createReadStream': () => drain(files.createReadStream('/usr/file')),
  'files.extract': () => files.extract('/usr', out),
  'export oci:': () => exportImage(repo, image, `oci:${out}:a`, { replace: true }),
  'export oci-archive: (gzip)': () =>
    exportImage(repo, image, `oci-archive:${out}:a`, { replace: true, recompress: 'gzip' as never, level: 1 }),
  'export docker-archive:': () => exportImage(repo, image, `docker-archive:${out}:a:1`, { replace: true }),
  'export dir:': () => exportImage(repo, image, `dir:${out}`),
  'export tar:': () => exportImage(repo, image, `tar:${out}`, { replace: true }),
  readDirectory: async () =>
    composefs.readDirectory('/usr/include', {
      destination: { kind: 'repository', objects: repo.objects },
    } as never),
  bootImage: async () => bootImage(repo, image.manifestDigest),
  checkBoot: () => checkBoot(repo, image),
  'prepareBoot (dry run)': () =>
    prepareBoot(repo, image, { bootPartition: out, stateRoot: out, dryRun: true }).catch(() => undefined),
  'mount (kernel)': async () => {
    const target = join(scratch, 'mnt');
    mkdirSync(target, { recursive: true });
    await (await mount(repo, image, target, { with: 'kernel' })).unmount();
  },
  'mount (FUSE)': async () => {
    const target = join(scratch, 'mnt');
    mkdirSync(target, { recursive: true });
    await (await mount(repo, image, target, { with: 'fuse' })).unmount();
  },
  inspectMachine: () => inspectMachine(path),
  listStoredImages: async () => listStoredImages(),
};

for (const [name, call] of Object.entries(calls)) {
  if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
  let [cpu, busy] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let failure = '';
  const began = performance.now();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    rmSync(out, { recursive: true, force: true });
    const turn = await longestTurn(() => call().catch((error: unknown) => (failure = `  ${error}`.slice(0, 150))));
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
