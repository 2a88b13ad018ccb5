import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  collectObjects,
  computeImageId,
  parseDumpfile,
  Repository,
  readDirectory,
  readErofsTree,
  writeDumpfile,
  writeErofs,
} from '../../src/composefs/index.js';
import {
  checkBoot,
  compareImages,
  createFilesystem,
  exportImage,
  findImage,
  findKept,
  imageHistory,
  imageUsage,
  importLayer,
  inspectMachine,
  layerDumpfile,
  layerInfo,
  layerTar,
  linkedErofsImages,
  listImages,
  matchDigest,
  OciImage,
  ociFsck,
  openImageFiles,
  parseOciDigest,
  pull,
  pushImage,
  storeUsage,
  tagImage,
  upgradeRepo,
} from '../../src/index.js';
import { manifestIdentifier } from '../../src/oci/store/identifiers.js';
import { tagRef } from '../../src/oci/store/tags.js';
import { TestRegistry } from '../../src/testing/index.js';
import { AMD64, buildImage, LayoutBuilder, spdxArtifact } from '../support/oci-fixtures.js';
import { sha256 } from '../support/sha256.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';

/** What a server may call, on a store of some size: for what must hold for each of these calls. */

export type PublicCall = (options: { readonly signal?: AbortSignal }) => Promise<unknown>;

export interface CallFixture {
  readonly repo: Repository;
  /** Each call under its name. */
  readonly calls: Readonly<Record<string, PublicCall>>;
  /** Where calls write, but for the repository. */
  readonly output: string;
  close(): Promise<void>;
}

export interface FixtureSize {
  readonly files: number;
  readonly tags: number;
  /** In bytes, of a file beside the others. */
  readonly largeFile: number;
}

/** @param folder an empty directory. */
export async function makeCallFixture(folder: string, { files, tags, largeFile }: FixtureSize): Promise<CallFixture> {
  const output = join(folder, 'output');
  mkdirSync(output);
  const { repo } = await Repository.init(join(folder, 'repo'), { algorithm: 'sha256', insecure: true });
  const registry = await TestRegistry.start();
  const registryOptions = { registry: { tlsVerify: false, environment: {} } };
  const entries = [tarDirectory('usr/'), tarDirectory('boot/'), tarDirectory('sysroot/')];
  for (let index = 0; index < files; index++) {
    if (index % 100 === 0) entries.push(tarDirectory(`usr/${index}/`));
    const size = index % 4 === 0 ? 200 : 20;
    entries.push(tarFile(`usr/${index - (index % 100)}/${index}`, `${index} `.repeat(size)));
  }
  entries.push(tarFile('usr/large', Buffer.alloc(largeFile, 'large')));
  const tar = tarArchive(entries);
  const newTar = tarArchive([tarDirectory('usr/'), tarFile('usr/new', Buffer.alloc(largeFile, 'new'))]);
  const other = buildImage([tarArchive([tarDirectory('usr/'), tarFile('usr/other', 'other')])], {
    compression: 'none',
  });
  const layout = join(folder, 'layout');
  new LayoutBuilder()
    .addImage(buildImage([tar], { compression: 'none' }), { tag: 'image' })
    .addImage(other, { tag: 'other' })
    .addImage(spdxArtifact(), { tag: 'artifact' })
    .write(layout);
  const reference = `oci:${layout}:image`;
  for (const tag of ['image', 'other', 'artifact']) await pull(repo, `oci:${layout}:${tag}`, tag, { platform: AMD64 });
  const image = OciImage.openRef(repo, 'image');
  for (let index = 0; index < tags; index++) {
    repo.nameStream(manifestIdentifier(image.manifestDigest), tagRef(`tag-${index}`));
  }
  await repo.sync();

  const diffId = parseOciDigest(image.layerDiffIds()[0] ?? '');
  const erofs = image.erofsImageRef(repo, false);
  const root = await createFilesystem(repo, image.configDigest, { configVerity: image.configVerity });
  const bytes = await writeErofs(root, { version: 1, algorithm: 'sha256' });
  const dumpfile = Buffer.from([...writeDumpfile(root)].join(''));
  const opened = await openImageFiles(repo, image);
  const place = (name: string): string => {
    const path = join(output, name);
    rmSync(path, { recursive: true, force: true });
    return path;
  };
  const newDiffId = parseOciDigest(`sha256:${sha256(newTar)}`);
  const pieces = async function* (content: Buffer): AsyncGenerator<Buffer> {
    for (let start = 0; start < content.length; start += 65_536) yield content.subarray(start, start + 65_536);
  };
  await pushImage(repo, image, `docker://${registry.host}/b:1`, registryOptions);
  const first = { kind: 'image', image } as const;
  const second = { kind: 'image', image: OciImage.openRef(repo, 'other') } as const;

  const calls: Readonly<Record<string, PublicCall>> = {
    'pull of what is stored': (options) => pull(repo, reference, 'image', { platform: AMD64, ...options }),
    'pull into an empty repository': async (options) => {
      const made = await Repository.init(place('new'), { algorithm: 'sha256', insecure: true });
      try {
        await pull(made.repo, reference, 'image', { platform: AMD64, ...options });
      } finally {
        made.repo.close();
      }
    },
    'importLayer of what is stored': (options) => importLayer(repo, diffId, undefined, pieces(tar), options),
    'importLayer of what is not': (options) => importLayer(repo, newDiffId, undefined, pieces(newTar), options),
    listImages: (options) => listImages(repo, options),
    'findImage by a config': () => findImage(repo, image.configDigest),
    'findKept by an object': () => findKept(repo, image.configVerity),
    linkedErofsImages: (options) => linkedErofsImages(repo, erofs, options),
    'createFilesystem, trusted': (options) =>
      createFilesystem(repo, image.configDigest, { configVerity: image.configVerity, ...options }),
    'createFilesystem, verifying': (options) => createFilesystem(repo, image.configDigest, options),
    readImageTree: (options) => repo.readImageTree(erofs, options),
    readFilesystem: (options) => image.readFilesystem(repo, false, options),
    objectsForImage: (options) => repo.objectsForImage(erofs, options),
    computeImageId: (options) => computeImageId(root, 1, 'sha256', options),
    commitImage: (options) => repo.commitImage(root, 'again', options),
    writeErofs: (options) => writeErofs(root, { version: 1, algorithm: 'sha256', ...options }),
    collectObjects: (options) => collectObjects(bytes, 'sha256', options),
    parseDumpfile: (options) => parseDumpfile(dumpfile, 'sha256', options),
    readErofsTree: (options) => readErofsTree(bytes, 'sha256', options),
    writeImage: (options) => repo.writeImage(bytes, 'written', options),
    layerInfo: (options) => layerInfo(repo, diffId, options),
    layerDumpfile: (options) => drain(layerDumpfile(repo, diffId, options)),
    layerTar: (options) => drain(layerTar(repo, diffId, options)),
    tagImage: () => tagImage(repo, image.manifestDigest, 'other-tag'),
    fsck: (options) => repo.fsck(options),
    ociFsck: (options) => ociFsck(repo, options),
    gc: (options) => repo.gc(options),
    'gc, dry run': (options) => repo.gc({ dryRun: true, ...options }),
    sync: () => repo.sync(),
    upgradeRepo: (options) => upgradeRepo(repo, options),
    imageUsage: (options) => imageUsage(repo, { layers: true, ...options }),
    storeUsage: (options) => storeUsage(repo, options),
    imageHistory: (options) => imageHistory(repo, image, options),
    compareImages: (options) => compareImages(repo, first, second, options),
    matchDigest: (options) => matchDigest(repo, image, 'ab'.repeat(32), options),
    'openImageFiles, verifying': (options) => openImageFiles(repo, image, { verify: true, ...options }),
    'ImageFileSystem.readFile': (options) => opened.readFile('/usr/large', options),
    'ImageFileSystem.createReadStream': (options) => drain(opened.createReadStream('/usr/large', options)),
    'ImageFileSystem.extract': (options) => opened.extract('/usr', place('extracted'), options),
    'exportImage oci:': (options) => exportImage(repo, image, `oci:${place('layout')}:a`, options),
    'exportImage dir:': (options) => exportImage(repo, image, `dir:${place('dir')}`, options),
    'exportImage oci-archive:': (options) => exportImage(repo, image, `oci-archive:${place('archive')}:a`, options),
    'exportImage docker-archive:': (options) =>
      exportImage(repo, image, `docker-archive:${place('docker')}:a:1`, options),
    'exportImage tar:': (options) => exportImage(repo, image, `tar:${place('tar')}`, options),
    pushImage: (options) => pushImage(repo, image, `docker://${registry.host}/a:1`, { ...registryOptions, ...options }),
    'pull from a registry': async (options) => {
      const made = await Repository.init(place('pulled'), { algorithm: 'sha256', insecure: true });
      try {
        const imgref = `docker://${registry.host}/b:1`;
        await pull(made.repo, imgref, 'image', { platform: AMD64, ...registryOptions, ...options });
      } finally {
        made.repo.close();
      }
    },
    checkBoot: (options) => checkBoot(repo, image, options),
    inspectMachine: (options) => inspectMachine(repo.path, options),
    readDirectory: (options) =>
      readDirectory(layout, { destination: { kind: 'repository', objects: repo.objects }, ...options }),
  };
  const close = async (): Promise<void> => {
    repo.close();
    await registry.close();
  };
  return { repo, calls, output, close };
}

async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pieces);
}
