import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { compress } from '../src/compression/compress.js';
import type { Descriptor } from '../src/oci/model/descriptor.js';
import { type OciDigest, parseOciDigest } from '../src/oci/model/digest.js';
import { OCI_IMAGE_CONFIG, REF_NAME_ANNOTATION } from '../src/oci/model/media-types.js';
import { serialiseConfig } from '../src/oci/model/serialise.js';
import {
  AMD64,
  blob,
  buildArtifact,
  LAYER_TYPE,
  type LayerCompression,
  LayoutBuilder,
} from '../test/support/oci-fixtures.js';
import { END_OF_ARCHIVE, TAR_BLOCK, tarDirectory, tarHeader, tarSymlink } from '../test/support/tar-builder.js';
import { xoshiroBytes } from '../test/support/xoshiro.js';

/**
 * The images that are pulled: those of a folder of real ones where it has them, else made ones, which are always the
 * same. Layouts are made when they are first asked for, with one tag `image`, and stay in `made`.
 */
export class Images {
  readonly #real: string | undefined;
  readonly #made: string;

  constructor(real: string | undefined, made: string) {
    this.#real = real;
    this.#made = made;
  }

  /** A reference for `oci pull`, of `python`, `debian` or `tiny` with the tag `plain`, `gzip` or `zstd`. */
  async named(name: 'python' | 'debian' | 'tiny', tag: 'plain' | 'gzip' | 'zstd'): Promise<string> {
    const real = this.#real === undefined || name === 'tiny' ? undefined : join(this.#real, name);
    if (real !== undefined && existsSync(join(real, 'index.json'))) return `oci:${real}:${tag}`;
    const compression = tag === 'plain' ? 'none' : tag;
    return await this.made(`${name}-${tag}`, NAMED[name](), compression);
  }

  /** A reference for `oci pull` of an image of these layers, of which each is the parts of a tar. */
  async made(name: string, layers: Iterable<Layer>, compression: LayerCompression = 'none'): Promise<string> {
    const path = join(this.#made, name);
    if (!existsSync(path)) {
      const partial = `${path}.partial`;
      rmSync(partial, { recursive: true, force: true });
      await writeLayout(partial, layers, compression);
      renameSync(partial, path);
    }
    return `oci:${path}:image`;
  }
}

/** The parts of a tar, in order, without the zero blocks at its end. */
export type Layer = Iterable<Buffer>;

/** Sizes as they are in a real image of that name. */
const NAMED = {
  tiny: () => [fileLayer({ seed: 1, files: 4, size: () => 700 })],
  debian: () => [fileLayer({ seed: 2, files: 6_600, size: spread(25_000) })],
  python: () => [
    fileLayer({ seed: 2, files: 6_600, size: spread(25_000) }),
    fileLayer({ seed: 3, files: 4_600, size: spread(75_000) }),
  ],
};

export interface FileLayerOptions {
  readonly seed: number;
  readonly files: number;
  /** Bytes of the file of a number. */
  readonly size: (file: number) => number;
}

/** A layer of directories of 40 files each, with a symlink for every tenth file. */
export function* fileLayer({ seed, files, size }: FileLayerOptions): Layer {
  yield tarDirectory('usr/');
  yield tarDirectory(`usr/layer-${seed}/`);
  for (let file = 0; file < files; file++) {
    const directory = `usr/layer-${seed}/${Math.floor(file / 40)}/`;
    if (file % 40 === 0) yield tarDirectory(directory);
    if (file % 10 === 9) yield tarSymlink(`${directory}link-${file}`, `file-${file - 1}`);
    const bytes = size(file);
    yield tarHeader({ name: `${directory}file-${file}`, size: bytes, mtime: 1_700_000_000 + file });
    yield* content(bytes, seed * 1_000_003 + file);
  }
}

/** Sizes of which half are below 0.4 of the mean and one in thirty is above 4 times, as those of programs are. */
function spread(mean: number): (file: number) => number {
  return (file) => Math.ceil(mean * 0.135 * Math.exp(4 * fraction(file)) * 0.59);
}

/** Evenly spread numbers below 1, by the golden ratio. */
function fraction(file: number): number {
  return (file * 0.618_033_988_749_895) % 1;
}

const POOL_BYTES = 1 << 26;
let pool: Buffer | undefined;

/** Content of a file, and zeros up to a whole block. It compresses to about 0.4, and no two seeds have the same. */
function* content(size: number, seed: number): Generator<Buffer> {
  if (size === 0) return;
  pool ??= textLike(POOL_BYTES);
  const head = Buffer.from(`${seed}\n`.padStart(16)).subarray(-Math.min(16, size));
  yield head;
  for (let rest = size - head.length, at = (seed * 7919 * 64) % POOL_BYTES; rest > 0; at = 0) {
    const part = pool.subarray(at, at + rest);
    rest -= part.length;
    yield part;
  }
  const odd = size % TAR_BLOCK;
  if (odd > 0) yield Buffer.alloc(TAR_BLOCK - odd);
}

/** Words of 4 to 11 bytes out of 4,096, which come all equally often. */
function textLike(size: number): Buffer {
  const vocabulary = xoshiroBytes(1 << 16, 7);
  const text = Buffer.alloc(size);
  let state = 1;
  for (let at = 0; at < size; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const word = (state >>> 20) * 15;
    at += vocabulary.copy(text, at, word, word + 4 + (word & 7));
  }
  return text;
}

async function writeLayout(path: string, layers: Iterable<Layer>, compression: LayerCompression): Promise<void> {
  const blobs = join(path, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const diffIds: OciDigest[] = [];
  const descriptors: Descriptor[] = [];
  for (const layer of layers) {
    const written = await writeLayer(blobs, layer, compression);
    diffIds.push(written.diffId);
    descriptors.push(written.descriptor);
  }
  const { architecture, os } = AMD64;
  const rootfs = { type: 'layers', diff_ids: diffIds };
  const config = blob(OCI_IMAGE_CONFIG, serialiseConfig({ architecture, os, config: {}, rootfs }));
  const image = buildArtifact(
    descriptors.map((descriptor) => ({ descriptor, bytes: Buffer.alloc(0) })),
    config,
  );
  const small = new LayoutBuilder().addBlobs({ ...image, layers: [] });
  small.addEntry({ ...image.manifest.descriptor, annotations: { [REF_NAME_ANNOTATION]: 'image' } });
  for (const [name, bytes] of small.files()) writeFileSync(join(path, name), bytes);
}

async function writeLayer(
  blobs: string,
  layer: Layer,
  compression: LayerCompression,
): Promise<{ readonly descriptor: Descriptor; readonly diffId: OciDigest }> {
  const tarHash = createHash('sha256');
  const blobHash = createHash('sha256');
  function* hashed(): Generator<Buffer> {
    for (const part of inChunks(layer)) {
      tarHash.update(part);
      yield part;
    }
  }
  const partial = join(blobs, 'partial');
  const fd = openSync(partial, 'wx');
  let size = 0;
  try {
    for await (const part of compress(hashed(), { format: compression })) {
      blobHash.update(part);
      for (let at = 0; at < part.length; ) at += writeSync(fd, part, at);
      size += part.length;
    }
  } finally {
    closeSync(fd);
  }
  const digest = blobHash.digest('hex');
  renameSync(partial, join(blobs, digest));
  const suffix = compression === 'none' ? '' : `+${compression}`;
  const descriptor = { mediaType: LAYER_TYPE + suffix, digest: parseOciDigest(`sha256:${digest}`), size };
  return { descriptor, diffId: parseOciDigest(`sha256:${tarHash.digest('hex')}`) };
}

/** The tar in pieces of about a megabyte. */
function* inChunks(layer: Layer): Generator<Buffer> {
  let parts: Buffer[] = [];
  let size = 0;
  for (const part of layer) {
    parts.push(part);
    size += part.length;
    if (size < 1 << 20) continue;
    yield Buffer.concat(parts);
    parts = [];
    size = 0;
  }
  yield Buffer.concat([...parts, END_OF_ARCHIVE]);
}
