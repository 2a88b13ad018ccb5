import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  collectObjects,
  computeImageId,
  findReasons,
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
  listStoredImages,
  matchDigest,
  type OciImage,
  ociFsck,
  openImageFiles,
  parseOciDigest,
  pruneTags,
  pull,
  pushImage,
  storeUsage,
  tagImage,
  upgradeRepo,
} from '../../src/index.js';
import { AMD64 } from '../support/oci-fixtures.js';
import { sha256 } from '../support/sha256.js';

/** What a server may call, on a store of some size: for what must hold for each of these calls. */

export type PublicCall = (options: { readonly signal?: AbortSignal }) => Promise<unknown>;

/** What the calls work on. */
export interface CallSubjects {
  readonly repo: Repository;
  /** Stored in it, with `usr`, `boot` and `sysroot`, and large files. */
  readonly image: OciImage;
  /** Where `image` has come from. */
  readonly reference: string;
  readonly other: OciImage;
  /** The tar of a layer that is not stored. */
  readonly newTar: Buffer;
  /** A large file of `image`. */
  readonly largeFile: string;
  /** A store of containers/storage, and an image in it that `repo` does not have. */
  readonly store: { readonly root: string; readonly image: string };
  /** Of a registry without TLS. */
  readonly registryHost: string;
  /** A directory with files. */
  readonly directory: string;
  /** Where calls write, but for the repository. */
  readonly output: string;
}

/** Each call under its name. */
export async function publicCalls(subjects: CallSubjects): Promise<Readonly<Record<string, PublicCall>>> {
  const { repo, image, reference, other, newTar, largeFile, store, registryHost, directory, output } = subjects;
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
  const registryOptions = { registry: { tlsVerify: false, environment: {} } };
  await pushImage(repo, image, `docker://${registryHost}/b:1`, registryOptions);
  const first = { kind: 'image', image } as const;
  const second = { kind: 'image', image: other } as const;

  const intoEmpty = async (name: string, source: string, options: object): Promise<void> => {
    const made = await Repository.init(place(name), { algorithm: 'sha256', insecure: true });
    try {
      await pull(made.repo, source, 'image', { platform: AMD64, ...registryOptions, ...options });
    } finally {
      made.repo.close();
    }
  };

  return {
    'pull of what is stored': (options) => pull(repo, reference, 'image', { platform: AMD64, ...options }),
    'pull into an empty repository': (options) => intoEmpty('new', reference, options),
    'pull from a store': (options) =>
      intoEmpty('stored', `containers-storage:[overlay@${store.root}]${store.image}`, options),
    listStoredImages: (options) => listStoredImages({ root: store.root }, options),
    'importLayer of what is stored': (options) => importLayer(repo, diffId, undefined, layerTar(repo, diffId), options),
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
    findReasons: (options) => findReasons(repo, image.configVerity, options),
    pruneTags: () => pruneTags(repo, { olderThan: 1e12 }),
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
    'ImageFileSystem.walk': () => drain(opened.walk()),
    'ImageFileSystem.readFile': (options) => opened.readFile(largeFile, options),
    'ImageFileSystem.createReadStream': (options) => drain(opened.createReadStream(largeFile, options)),
    'ImageFileSystem.extract': (options) => opened.extract('/usr', place('extracted'), options),
    'exportImage oci:': (options) => exportImage(repo, image, `oci:${place('layout')}:a`, options),
    'exportImage dir:': (options) => exportImage(repo, image, `dir:${place('dir')}`, options),
    'exportImage oci-archive:': (options) => exportImage(repo, image, `oci-archive:${place('archive')}:a`, options),
    'exportImage docker-archive:': (options) =>
      exportImage(repo, image, `docker-archive:${place('docker')}:a:1`, options),
    'exportImage tar:': (options) => exportImage(repo, image, `tar:${place('tar')}`, options),
    pushImage: (options) => pushImage(repo, image, `docker://${registryHost}/a:1`, { ...registryOptions, ...options }),
    'pull from a registry': (options) => intoEmpty('pulled', `docker://${registryHost}/b:1`, options),
    checkBoot: (options) => checkBoot(repo, image, options),
    inspectMachine: (options) => inspectMachine(repo.path, options),
    readDirectory: (options) =>
      readDirectory(directory, { destination: { kind: 'repository', objects: repo.objects }, ...options }),
  };
}

async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pieces);
}
