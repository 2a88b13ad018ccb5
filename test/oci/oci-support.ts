import { chmodSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ObjectId } from '../../src/composefs/fsverity/object-id.js';
import { isFsckOk } from '../../src/composefs/repository/fsck/fsck-result.js';
import type { Repository } from '../../src/composefs/repository/index.js';
import { errorChain, errorCode } from '../../src/errors.js';
import { isOciFsckOk, ociFsck } from '../../src/oci/fsck/fsck.js';
import { importLayer } from '../../src/oci/import/layer/import-layer.js';
import { storeBlob } from '../../src/oci/import/layer/store-tar.js';
import { pull } from '../../src/oci/import/pull.js';
import type { PullOptions } from '../../src/oci/import/pull-options.js';
import { ensureComposefsErofs } from '../../src/oci/import/upgrade.js';
import { type OciDigest, sha256ContentDigest } from '../../src/oci/model/digest.js';
import { writeConfigRaw, writeConfigStream } from '../../src/oci/store/config-stream.js';
import { layerContentId } from '../../src/oci/store/identifiers.js';
import { OciImage } from '../../src/oci/store/image.js';
import { writeManifestRaw } from '../../src/oci/store/manifest-stream.js';
import { tempDir, tempRepository } from '../composefs/repository/temp-repository.js';
import { AMD64, LayoutBuilder, type TestImage } from '../support/oci-fixtures.js';

export { objectIds, tempDir, tempRepository } from '../composefs/repository/temp-repository.js';

/** The platform of all fixtures, whatever the host is. */
/** One thread beside the caller's, so that a test does not start as many as there are processors. */
export const PULL: PullOptions & { readonly concurrency: number } = { platform: AMD64, concurrency: 1 };

export async function* chunksOf(data: Buffer, size: number = data.length): AsyncGenerator<Buffer> {
  for (let i = 0; i < data.length; i += size) yield data.subarray(i, i + size);
}

export interface StoredImage {
  readonly digest: OciDigest;
  readonly manifestVerity: ObjectId;
  readonly configDigest: OciDigest;
  readonly configVerity: ObjectId;
  /** Each layer's splitstream, in order. */
  readonly layers: readonly ObjectId[];
}

/** Stores a container image document by document: for images whose descriptors name no real blobs. No EROFS, no tag. */
export async function storeContainer(
  repo: Repository,
  tars: readonly Buffer[],
  image: TestImage,
): Promise<StoredImage> {
  const layers: [string, ObjectId][] = [];
  for (const tar of tars) {
    const diffId = sha256ContentDigest(tar);
    layers.push([diffId, (await importLayer(repo, diffId, undefined, chunksOf(tar))).verity]);
  }
  const [configDigest, configVerity] = await writeConfigRaw(repo, image.config.bytes, new Map(layers));
  return await storeManifest(repo, image, layers, configDigest, configVerity);
}

/** Stores an artifact as pulling does. */
export async function storeArtifact(repo: Repository, artifact: TestImage): Promise<StoredImage> {
  const layers: [string, ObjectId][] = [];
  for (const { descriptor, bytes } of artifact.layers) {
    const { id } = await storeBlob(repo.objects, chunksOf(bytes));
    await repo.registerStream(id, layerContentId(descriptor.digest));
    layers.push([descriptor.digest, id]);
  }
  const [configDigest, configVerity] = await writeConfigStream(repo, artifact.config.bytes, layers);
  return await storeManifest(repo, artifact, layers, configDigest, configVerity);
}

async function storeManifest(
  repo: Repository,
  image: TestImage,
  layers: [string, ObjectId][],
  configDigest: OciDigest,
  configVerity: ObjectId,
): Promise<StoredImage> {
  const { digest } = image.manifest.descriptor;
  const links = { configDigest, configVerity, layers };
  const manifestVerity = await writeManifestRaw(repo, image.manifest.bytes, digest, links);
  return { digest, manifestVerity, configDigest, configVerity, layers: layers.map(([, id]) => id) };
}

/** {@link storeContainer}, then its EROFS images and the tag. */
export async function storeTagged(
  repo: Repository,
  tars: readonly Buffer[],
  image: TestImage,
  tag: string,
): Promise<StoredImage> {
  const stored = await storeContainer(repo, tars, image);
  await ensureComposefsErofs(repo, stored.digest, { manifestVerity: stored.manifestVerity, tag });
  return stored;
}

/** Writes a layout of one image, by default without a tag, and returns its reference. */
export function layoutOf(context: TestContext, image: TestImage, edit?: (layout: LayoutBuilder) => void): string {
  const layout = new LayoutBuilder().addImage(image, { platform: AMD64 });
  edit?.(layout);
  return `oci:${layout.write(join(tempDir(context), 'layout'))}`;
}

/** Pulls an image, as `a`, into a repository of its own. */
export async function pulledImage(
  context: TestContext,
  image: TestImage,
): Promise<{ repo: Repository; image: OciImage }> {
  const repo = await tempRepository(context, { algorithm: 'sha256' });
  const { manifestDigest } = await pull(repo, layoutOf(context, image), 'a', PULL);
  return { repo, image: OciImage.open(repo, manifestDigest) };
}

/** Overwrites an object's file. */
export function replaceObject(repo: Repository, id: ObjectId, content: string | Buffer): void {
  const path = repo.objects.path(id);
  chmodSync(path, 0o644);
  writeFileSync(path, content);
}

export function deleteObject(repo: Repository, id: ObjectId): void {
  unlinkSync(repo.objects.path(id));
}

/** The single object of a manifest, config or blob stream. */
export function externalObject(repo: Repository, stream: ObjectId): ObjectId {
  const reader = repo.openStream('', { id: stream });
  try {
    const [id] = reader.objectRefs;
    if (id === undefined) throw new Error(`stream ${stream} has no object`);
    return id;
  } finally {
    reader.close();
  }
}

/** The whole stored form of a stream. */
export function streamBytes(repo: Repository, stream: ObjectId): Buffer {
  return repo.objects.readObject(stream);
}

/** Names of temporary files anywhere in a repository. */
export function temporaryFiles(repo: Repository): string[] {
  return readdirSync(repo.path, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(^|\/)\.?[^/]*tmp/i.test(name),
  );
}

/** True if neither the repository nor one of its images has a finding. */
export async function isSound(repo: Repository): Promise<boolean> {
  return isOciFsckOk(await ociFsck(repo, { threads: 0 }));
}

export async function repositoryIsClean(repo: Repository): Promise<boolean> {
  return isFsckOk(await repo.fsck({ threads: 0 })) && temporaryFiles(repo).length === 0;
}

/** For `assert.throws` and `assert.rejects`: code and a text somewhere in the chain. */
export function failsWith(code: string, ...texts: readonly (string | RegExp)[]): (error: unknown) => boolean {
  return (error) => {
    const chain = errorChain(error).join(': ');
    if (errorCode(error) !== code) throw new Error(`expected code ${code}, got ${errorCode(error)}: ${chain}`);
    for (const text of texts) {
      if (!(typeof text === 'string' ? chain.includes(text) : text.test(chain))) {
        throw new Error(`expected ${String(text)} in: ${chain}`);
      }
    }
    return true;
  };
}
