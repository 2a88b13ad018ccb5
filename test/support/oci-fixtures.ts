import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ImageConfiguration } from '../../src/oci/model/config.js';
import type { Descriptor } from '../../src/oci/model/descriptor.js';
import { digestEncoded, type OciDigest, sha256ContentDigest } from '../../src/oci/model/digest.js';
import type { ImageManifest } from '../../src/oci/model/manifest.js';
import {
  OCI_EMPTY,
  OCI_IMAGE_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
  REF_NAME_ANNOTATION,
} from '../../src/oci/model/media-types.js';
import type { Platform } from '../../src/oci/model/platform.js';
import { serialiseConfig, serialiseManifest } from '../../src/oci/model/serialise.js';
import { tarArchive, tarDirectory, tarFile, tarHardlink } from './tar-builder.js';

/**
 * OCI images for tests: made in memory, written as layout directories or as archives.
 *
 * `buildImage` makes an image of layer tars; `new LayoutBuilder().addImage(image, …).write(path)` a layout of images;
 * `fxOci()`, … are the images of spec 70 §G2. Nothing needs a tool: gzip is node:zlib's, zstd frames hold raw blocks.
 */

export type LayerCompression = 'none' | 'gzip' | 'zstd';

export const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';

export interface TestBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/** An image or artifact with all of its blobs. */
export interface TestImage {
  readonly manifest: TestBlob;
  readonly config: TestBlob;
  readonly layers: readonly TestBlob[];
  readonly platform?: Platform;
  /** Empty for artifacts. */
  readonly diffIds: readonly OciDigest[];
}

export interface ImageOptions {
  readonly compression?: LayerCompression;
  readonly architecture?: string;
  readonly os?: string;
  /** Further fields of the config. */
  readonly config?: Partial<ImageConfiguration>;
  /** Changes the bytes of the config, to make unusual ones. */
  readonly editConfig?: (json: Buffer) => Buffer;
  /** Changes the bytes of the manifest. */
  readonly editManifest?: (json: Buffer) => Buffer;
  /** Instead of what the layer's bytes say. */
  readonly layerDescriptor?: (diffId: OciDigest, bytes: Buffer) => Partial<Descriptor>;
}

export const AMD64: Platform = { architecture: 'amd64', os: 'linux' };

export function blob(mediaType: string, bytes: Buffer): TestBlob {
  return { bytes, descriptor: { mediaType, digest: sha256ContentDigest(bytes), size: bytes.length } };
}

/** An image of uncompressed layer tars. The config has an empty `config`, as the fixtures of the specification do. */
export function buildImage(tars: readonly Buffer[], options: ImageOptions = {}): TestImage {
  const compression = options.compression ?? 'gzip';
  const diffIds = tars.map((tar) => sha256ContentDigest(tar));
  const suffix = compression === 'none' ? '' : `+${compression}`;
  const layers = tars.map((tar, i) => {
    const made = blob(LAYER_TYPE + suffix, compress(tar, compression));
    const changes = options.layerDescriptor?.(diffIds[i] ?? made.descriptor.digest, made.bytes);
    return { bytes: made.bytes, descriptor: { ...made.descriptor, ...changes } };
  });
  const platform = { architecture: options.architecture ?? 'amd64', os: options.os ?? 'linux' };
  const rootfs = { type: 'layers', diff_ids: diffIds };
  const configJson = serialiseConfig({ ...platform, config: {}, rootfs, ...options.config });
  const config = blob(OCI_IMAGE_CONFIG, options.editConfig?.(configJson) ?? configJson);
  const manifest = buildManifest(config, layers, {}, options.editManifest);
  return { manifest, config, layers, platform, diffIds };
}

/** An artifact: a config that is no image config, and blobs of any type. */
export function buildArtifact(
  layers: readonly TestBlob[],
  config: TestBlob = blob(OCI_EMPTY, Buffer.from('{}')),
  fields: Partial<ImageManifest> = {},
): TestImage {
  return { manifest: buildManifest(config, layers, fields), config, layers, diffIds: [] };
}

function buildManifest(
  config: TestBlob,
  layers: readonly TestBlob[],
  fields: Partial<ImageManifest> = {},
  edit: (json: Buffer) => Buffer = (json) => json,
): TestBlob {
  const descriptors = layers.map((layer) => layer.descriptor);
  const json = serialiseManifest({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: config.descriptor,
    layers: descriptors,
    ...fields,
  });
  return blob(OCI_MANIFEST, edit(json));
}

/** An image whose layer descriptors do not describe stored blobs: size 1, digest = diff_id (spec 40 §16.2, §16.3). */
export function buildPlaceholderImage(tars: readonly Buffer[]): TestImage {
  return buildImage(tars, { layerDescriptor: (digest) => ({ digest, size: 1 }) });
}

/** The base image's manifest names the tars themselves as gzip layers (spec 40 §16.5). */
export function buildBaseImage(tars: readonly Buffer[]): TestImage {
  return buildImage(tars, {
    layerDescriptor: (digest) => ({
      digest,
      size: tars.find((tar) => sha256ContentDigest(tar) === digest)?.length ?? 0,
    }),
  });
}

export function compress(data: Buffer, compression: LayerCompression): Buffer {
  if (compression === 'none') return data;
  return compression === 'gzip' ? gzipSync(data) : zstdRawFrame(data);
}

/** One gzip member per piece: what eStargz layers are. */
export function gzipMembers(...pieces: readonly Buffer[]): Buffer {
  return Buffer.concat(pieces.map((piece) => gzipSync(piece)));
}

/** Frames and a skippable frame between them: what zstd:chunked layers are. */
export function zstdFrames(...pieces: readonly Buffer[]): Buffer {
  const skippable = zstdSkippableFrame(Buffer.from('table of contents'));
  return Buffer.concat(pieces.flatMap((piece) => [zstdRawFrame(piece), skippable]));
}

/** A Zstandard frame of raw blocks (RFC 8878): single segment, four bytes of content size, no checksum. */
export function zstdRawFrame(data: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from('28b52ffda0', 'hex'), uint32(data.length)];
  let position = 0;
  do {
    const block = data.subarray(position, position + 0x20000);
    position += block.length;
    const last = position === data.length ? 1 : 0;
    parts.push(uint32((block.length << 3) | last).subarray(0, 3), block);
  } while (position < data.length);
  return Buffer.concat(parts);
}

export function zstdSkippableFrame(data: Buffer): Buffer {
  return Buffer.concat([uint32(0x184d2a50), uint32(data.length), data]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export interface EntryOptions {
  readonly tag?: string;
  /** Default: the image's. `null` leaves it out of the index. */
  readonly platform?: Platform | null;
  /** Any other changes of the entry. */
  readonly descriptor?: Partial<Descriptor>;
}

/** Collects blobs and index entries; the result is a map of files. */
export class LayoutBuilder {
  readonly #blobs = new Map<OciDigest, Buffer>();
  readonly #entries: Descriptor[] = [];

  addImage(image: TestImage, options: EntryOptions = {}): this {
    this.addBlobs(image);
    this.#entries.push(indexEntry(image, options));
    return this;
  }

  /** One entry that is an index of several images. */
  addIndex(images: readonly TestImage[], options: EntryOptions = {}): this {
    for (const image of images) this.addBlobs(image);
    const nested = blob(OCI_INDEX, indexJson(images.map((image) => indexEntry(image, {}))));
    return this.addBlob(nested.bytes).addEntry({ ...nested.descriptor, ...tagged(options), ...options.descriptor });
  }

  addBlobs(image: TestImage): this {
    for (const { bytes } of [image.manifest, image.config, ...image.layers]) this.addBlob(bytes);
    return this;
  }

  addBlob(bytes: Buffer): this {
    this.#blobs.set(sha256ContentDigest(bytes), bytes);
    return this;
  }

  addEntry(entry: Descriptor): this {
    this.#entries.push(entry);
    return this;
  }

  /** Replaces the content below a digest that it no longer has. */
  corrupt(digest: OciDigest, change: (bytes: Buffer) => Buffer): this {
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) throw new Error(`no blob ${digest} to corrupt`);
    this.#blobs.set(digest, change(bytes));
    return this;
  }

  remove(digest: OciDigest): this {
    if (!this.#blobs.delete(digest)) throw new Error(`no blob ${digest} to remove`);
    return this;
  }

  /** Path below the layout → content. */
  files(): Map<string, Buffer> {
    const files = new Map<string, Buffer>([['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')]]);
    files.set('index.json', indexJson(this.#entries));
    for (const [digest, bytes] of this.#blobs) files.set(`blobs/sha256/${digestEncoded(digest)}`, bytes);
    return files;
  }

  /** Writes the layout directory and returns its path. */
  write(path: string): string {
    mkdirSync(join(path, 'blobs', 'sha256'), { recursive: true });
    for (const [name, bytes] of this.files()) writeFileSync(join(path, name), bytes);
    return path;
  }

  /** The layout as a tar, as `skopeo copy … oci-archive:` writes it. */
  archive(): Buffer {
    const directories = ['blobs/', 'blobs/sha256/'].map((name) => tarDirectory(name));
    return tarArchive([...directories, ...[...this.files()].map(([name, bytes]) => tarFile(name, bytes))]);
  }
}

export function indexJson(manifests: readonly Descriptor[]): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
}

function indexEntry(image: TestImage, options: EntryOptions): Descriptor {
  const platform = options.platform === undefined ? image.platform : options.platform;
  const base = { ...image.manifest.descriptor, ...tagged(options), ...options.descriptor };
  return platform === undefined || platform === null ? base : { ...base, platform };
}

function tagged(options: EntryOptions): Partial<Descriptor> {
  return options.tag === undefined ? {} : { annotations: { [REF_NAME_ANNOTATION]: options.tag } };
}

/** Ways in which a blob can be damaged, for `LayoutBuilder.corrupt`. */
export const damage = {
  /** Same size, other content. */
  flipByte: (bytes: Buffer): Buffer => {
    const changed = Buffer.from(bytes);
    changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 0xff;
    return changed;
  },
  truncate: (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length - 1),
  append: (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.from([0])]),
  empty: (): Buffer => Buffer.alloc(0),
};

/** FX-OCI of spec 70 §G2: a file and a hard link to it. */
export function fxOci(options: ImageOptions = {}): TestImage {
  return buildImage(
    [
      tarArchive([
        tarDirectory('usr/', GNU),
        tarFile('hello.txt', 'hello from test layer\n', GNU),
        tarHardlink('hello-link.txt', 'hello.txt', GNU),
      ]),
    ],
    options,
  );
}

/** FX-BOOT of spec 70 §G2: a bootable tree. */
export function fxBoot(options: ImageOptions = {}): TestImage {
  const directories = ['usr/', 'boot/', 'sysroot/'].map((name) => tarDirectory(name, GNU));
  return buildImage(
    [tarArchive([...directories, tarFile('usr/hello.txt', 'hello from bootable test layer\n', GNU)])],
    options,
  );
}

/** FX-LARGE of spec 70 §G2: files that become objects, one of them not world-readable. */
export function fxLarge(options: ImageOptions = {}): TestImage {
  const files = [0, 1, 2, 3, 4].map((i) => tarFile(`usr/file_${i}.bin`, Buffer.alloc(4096, (i * 0x37) % 256), GNU));
  const restricted = tarFile('usr/restricted_file.bin', Buffer.alloc(4096, 0xff), { ...GNU, mode: 0o600 });
  return buildImage([tarArchive([tarDirectory('usr/', GNU), ...files, restricted])], options);
}

const GNU = { format: 'gnu', mtime: 1234567890 } as const;

/** The layer tars of FX-TWO, and of the images of spec 40 §16.2 and §16.3: `./usr/share/data_<size>`. */
export function dataLayerTar(size: number): Buffer {
  const data = Buffer.alloc(size);
  for (let i = 0; i < size; i++) data[i] = i % 251;
  const directories = ['./', './usr/', './usr/share/'].map((name) => tarDirectory(name));
  return tarArchive([...directories, tarFile(`./usr/share/data_${size}`, data)]);
}

/** The image of FX-TWO (spec 70 §G2); its repository is made by writing the documents, for no layout can hold it. */
export function fxTwo(): TestImage {
  return buildPlaceholderImage([dataLayerTar(10), dataLayerTar(262144)]);
}

/** Single-layer image of spec 40 §16.2. */
export function singleLayerImage(): TestImage {
  return buildPlaceholderImage([dataLayerTar(10)]);
}

/** Two-layer image of spec 40 §16.3. */
export function twoLayerImage(): TestImage {
  return buildPlaceholderImage([dataLayerTar(10), dataLayerTar(131072)]);
}

/** The artifact of spec 40 §16.4: one SPDX document and an empty config. */
export function spdxArtifact(): TestImage {
  return buildArtifact([blob('text/spdx+json', Buffer.from('{"spdxVersion":"SPDX-2.3","name":"example"}'))]);
}
