import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { debugImage, ErofsImage, fsckMetadata, readErofsTree, writeErofs } from '../../src/composefs/erofs/index.js';
import { collectObjects } from '../../src/composefs/erofs/reader/collect-objects.js';
import { Directory } from '../../src/composefs/index.js';
import { parseCDumpfile, readCTree } from '../../src/composefs/mkcomposefs/index.js';
import { newMetadata, parseMetadata, serializeMetadata } from '../../src/composefs/repository/metadata/metadata.js';
import { catSplitStream } from '../../src/composefs/splitstream/index.js';
import { decompress } from '../../src/compression/decompress.js';
import { loadZstdEncode } from '../../src/compression/zstd/encode.js';
import { processEntry, readTarEntries } from '../../src/index.js';
import { readAuthFile } from '../../src/oci/containers-config/auth-file.js';
import { loadRegistriesConf } from '../../src/oci/containers-config/registries-conf.js';
import { parseConfig } from '../../src/oci/model/config.js';
import { convertDockerConfig } from '../../src/oci/model/converted-config.js';
import { parseIndex } from '../../src/oci/model/index-document.js';
import { parseManifest } from '../../src/oci/model/manifest.js';
import { parsePolicy } from '../../src/oci/signatures/policy.js';
import { directory, simpleTree, stat } from '../composefs/erofs/support.js';
import { importTar, openSplitStream } from '../oci/layer/layer-support.js';
import { parseDumpfile } from '../support/at-once.js';
import { dockerConfig } from '../support/docker-archives.js';
import { dumpOf } from '../support/dumpfiles.js';
import { MemoryStore } from '../support/memory-store.js';
import { buildImage, fxOci, indexJson } from '../support/oci-fixtures.js';
import { Random } from '../support/random.js';
import { randomLayers } from './layouts.js';
import { mutateBytes, mutateJson, mutateLines, mutateTar } from './mutators.js';

/** A format: well-formed examples, a way to change them, and what reads them. */
export interface MutationTarget {
  readonly name: string;
  readonly seeds: readonly Buffer[];
  readonly mutate: (original: Buffer, random: Random) => Buffer;
  /** Throws if it refuses, in an orderly manner; {@link Wrong} if it accepts and what comes of it is wrong. */
  readonly read: (bytes: Buffer) => unknown;
}

/** What must not happen, unlike an error by which a reader refuses what it was given. */
export class Wrong extends Error {}

/** Formats whose readers are fast. @param folder for formats that are read from files. */
export async function mutationTargets(folder: string): Promise<MutationTarget[]> {
  const encode = await loadZstdEncode();
  const image = fxOci();
  const tars = randomLayers(new Random(5), { layers: 2, files: 6, maxSize: 3000 });
  const text = Buffer.from('some text that is compressed, again and again. '.repeat(200));
  const streams = tars.map((tar) => importTar(tar));
  const images = ([0, 1, 2] as const).flatMap((version) =>
    [simpleTree(), treeOf(tars[1] ?? text).root].map((root) => writeErofs(root, { version, algorithm: 'sha256' })),
  );
  const dumpfiles = [simpleTree(), treeOf(tars[1] ?? text).root].map((root) => Buffer.from(dumpOf(root), 'latin1'));
  mkdirSync(join(folder, 'etc', 'containers'), { recursive: true });
  return [
    {
      name: 'index',
      seeds: [indexJson([{ ...image.manifest.descriptor, ...{ annotations: { a: 'b' } } }])],
      mutate: mutateJson,
      read: (bytes) => parseIndex(bytes),
    },
    { name: 'manifest', seeds: [image.manifest.bytes], mutate: mutateJson, read: parseManifest },
    {
      name: 'config',
      seeds: [image.config.bytes, buildImage(tars).config.bytes],
      mutate: mutateJson,
      read: parseConfig,
    },
    { name: 'docker-config', seeds: [dockerConfig(tars)], mutate: mutateJson, read: convertDockerConfig },
    {
      name: 'meta.json',
      seeds: [Buffer.from(serializeMetadata(newMetadata('sha512')))],
      mutate: mutateJson,
      read: parseMetadata,
    },
    { name: 'policy.json', seeds: [POLICY], mutate: mutateJson, read: (bytes) => parsePolicy(bytes, 'policy.json') },
    { name: 'auth.json', seeds: [AUTH], mutate: mutateJson, read: fromFile(join(folder, 'auth.json'), readAuthFile) },
    {
      name: 'registries.conf',
      seeds: [REGISTRIES],
      mutate: mutateLines,
      read: fromFile(join(folder, 'etc', 'containers', 'registries.conf'), (registriesConf) =>
        loadRegistriesConf({ registriesConf, environment: { HOME: folder }, systemConfigDir: join(folder, 'etc') }),
      ),
    },
    {
      name: 'gzip',
      seeds: [gzipSync(text), gzipSync(tars[0] ?? text)],
      mutate: mutateBytes,
      read: (bytes) => drain(bytes, 'gzip'),
    },
    {
      name: 'zstd',
      seeds: [Buffer.concat([...encode([text])]), Buffer.concat([...encode([tars[0] ?? text])])],
      mutate: mutateBytes,
      read: (bytes) => drain(bytes, 'zstd'),
    },
    { name: 'tar', seeds: tars, mutate: mutateTar, read: readLayer },
    {
      name: 'splitstream',
      seeds: streams.map(({ splitStream }) => splitStream),
      mutate: mutateBytes,
      read: (bytes) =>
        readStream(
          bytes,
          streams.map(({ store }) => store),
        ),
    },
    { name: 'erofs', seeds: images, mutate: mutateBytes, read: readImage },
    { name: 'dumpfile', seeds: dumpfiles, mutate: mutateLines, read: readDumpfile },
    { name: 'c-dumpfile', seeds: dumpfiles, mutate: mutateLines, read: (bytes) => parseCDumpfile(bytes) },
  ];
}

const POLICY = Buffer.from(
  JSON.stringify({
    default: [{ type: 'reject' }],
    transports: {
      docker: { 'quay.io/team': [{ type: 'insecureAcceptAnything' }] },
      oci: { '': [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/etc/key.gpg' }] },
    },
  }),
);
const AUTH = Buffer.from(
  JSON.stringify({
    auths: { 'quay.io': { auth: 'YW5uOnNlY3JldA==' }, 'a.b/c': { identitytoken: 'x' } },
    credHelpers: { 'x.y': 'pass' },
  }),
);
const REGISTRIES = Buffer.from(`unqualified-search-registries = ["docker.io", "quay.io"]
short-name-mode = "enforcing"
[[registry]]
prefix = "*.example.com"
location = "mirror.example.org/path"
insecure = true
[[registry.mirror]]
location = "localhost:5000"
pull-from-mirror = "digest-only"
[aliases]
"debian" = "docker.io/library/debian"
`);

/** Reads what is in a file. */
function fromFile(path: string, read: (path: string) => unknown): (bytes: Buffer) => unknown {
  return (bytes) => {
    writeFileSync(path, bytes);
    return read(path);
  };
}

/** More than any seed holds. */
const MAX_OUTPUT = 2 ** 26;

async function drain(bytes: Buffer, format: 'gzip' | 'zstd'): Promise<void> {
  async function* source(): AsyncGenerator<Buffer> {
    yield bytes;
  }
  let total = 0;
  for await (const piece of decompress(source(), format)) {
    total += piece.length;
    if (total > MAX_OUTPUT) return;
  }
}

function treeOf(tar: Buffer): { root: Directory; splitStream: Buffer; store: MemoryStore } {
  const { splitStream, store } = importTar(tar);
  const root = new Directory(stat(0o755));
  const reader = openSplitStream(splitStream, store);
  try {
    for (const entry of readTarEntries(reader)) processEntry(root, entry);
  } finally {
    reader.close();
  }
  return { root, splitStream, store };
}

/** The tar comes back byte for byte, and its tree is the same after its image was read. */
function readLayer(tar: Buffer): void {
  const { root, splitStream, store } = treeOf(tar);
  const reader = openSplitStream(splitStream, store);
  const again = Buffer.concat([...catSplitStream(reader, (id) => [store.readObject(id)])]);
  reader.close();
  if (!again.equals(tar)) throw new Wrong('the tar that comes back is another');
  checkRoundTrip(root);
}

function checkRoundTrip(root: Directory): void {
  const image = writeErofs(root, { version: 2, algorithm: 'sha256' });
  const expected = withoutNanoseconds(dumpOf(root));
  const actual = withoutNanoseconds(dumpOf(readErofsTree(image, 'sha256')));
  if (actual !== expected) throw new Wrong(`the image has another tree: ${firstDifference(actual, expected)}`);
}

/** Images of format 2 have none. */
function withoutNanoseconds(dump: string): string {
  return dump.replace(/^((?:[^ \n]+ ){7}-?[0-9]+)\.[0-9]+/gm, '$1');
}

function firstDifference(actual: string, expected: string): string {
  const [left, right] = [actual.split('\n'), expected.split('\n')];
  const at = left.findIndex((line, index) => line !== right[index]);
  return `${left[at]} instead of ${right[at]}`.slice(0, 300);
}

function readStream(bytes: Buffer, stores: readonly MemoryStore[]): void {
  const store = new MemoryStore();
  for (const each of stores) for (const [id, data] of each.objects) store.objects.set(id, data);
  const reader = openSplitStream(bytes, store);
  try {
    const root = directory();
    for (const entry of readTarEntries(reader)) processEntry(root, entry);
  } finally {
    reader.close();
  }
}

/** Every way to read an image; one that is refused by one may be taken by another. */
function readImage(bytes: Buffer): void {
  const errors: unknown[] = [];
  for (const read of [
    () => void readErofsTree(bytes, 'sha256'),
    () => void collectObjects(bytes, 'sha256'),
    () => void fsckMetadata(ErofsImage.open(bytes)),
    () => void debugImage(bytes),
    () => void readCTree(bytes),
  ]) {
    try {
      read();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors);
}

function readDumpfile(bytes: Buffer): void {
  checkRoundTrip(parseDumpfile(bytes, 'sha256'));
}
