import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, lstatSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { objectPathname } from '../../../src/composefs/fsverity/object-id.js';
import { Repository } from '../../../src/composefs/repository/index.js';
import { type ImageUsage, imageUsage } from '../../../src/oci/account/image-usage.js';
import { storeUsage } from '../../../src/oci/account/store-usage.js';
import { pull } from '../../../src/oci/import/pull.js';
import { type OciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { addReferrer } from '../../../src/oci/store/referrers.js';
import { listRefs, tagImage, untagImage } from '../../../src/oci/store/tags.js';
import { treeOf } from '../../composefs/repository/temp-repository.js';
import { buildImage, LayoutBuilder, spdxArtifact } from '../../support/oci-fixtures.js';
import { tempDir } from '../../support/paths.js';
import { tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';
import { xoshiroBytes } from '../../support/xoshiro.js';
import { PULL, tempRepository } from '../oci-support.js';

interface Sum {
  readonly count: number;
  readonly bytes: number;
  readonly disk: number;
}

/** Files and links below a directory. */
function measure(directory: string, keep: (name: string) => boolean = () => true): Sum {
  const sum = { count: 0, bytes: 0, disk: 0 };
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const stat = lstatSync(join(directory, name));
    if (stat.isDirectory() || !keep(name)) continue;
    sum.count += 1;
    sum.bytes += stat.size;
    sum.disk += 512 * stat.blocks;
  }
  return sum;
}

function minus(a: Sum, b: Sum): Sum {
  return { count: a.count - b.count, bytes: a.bytes - b.bytes, disk: a.disk - b.disk };
}

function plain({ count, bytes, disk }: Sum): Sum {
  return { count, bytes, disk };
}

const isObject = (name: string): boolean => name.startsWith('objects/');

/** Fills a repository with images that share layers, files and tags at random. */
class RandomStore {
  readonly repo: Repository;
  readonly #random: Buffer;
  #position = 0;

  private constructor(repo: Repository, seed: number) {
    this.repo = repo;
    this.#random = xoshiroBytes(1 << 16, seed);
  }

  static async make(folder: string, seed: number): Promise<RandomStore> {
    const algorithm = seed % 2 === 0 ? 'sha256' : 'sha512';
    const { repo } = await Repository.init(join(folder, `repo-${seed}`), { algorithm, insecure: true });
    const store = new RandomStore(repo, seed);
    await store.#fill(join(folder, `layout-${seed}`));
    return store;
  }

  pick(count: number): number {
    this.#position += 4;
    return this.#random.readUInt32LE(this.#position) % count;
  }

  /** About half of them. */
  some<T>(items: readonly T[]): T[] {
    return items.filter(() => this.pick(2) === 0);
  }

  async #fill(layoutPath: string): Promise<void> {
    const { repo } = this;
    const files = Array.from({ length: 12 }, (_, i) => Buffer.alloc(100 + this.pick(40_000), `file ${i} `));
    const layers = Array.from({ length: 7 }, (_, i) =>
      tarArchive([
        tarDirectory('usr/'),
        ...this.some(files).map((data, j) => tarFile(`usr/${i}-${j}`, data)),
        tarFile(`usr/own-${i}`, Buffer.alloc(this.pick(9000), `${i}`)),
      ]),
    );
    const tags = Array.from({ length: 2 + this.pick(5) }, (_, i) => `v${i}`);
    const layout = new LayoutBuilder();
    for (const tag of tags) {
      const own = this.some(layers);
      const tars = own.length === 0 ? layers.slice(0, 1) : own;
      layout.addImage(buildImage(tars, { config: { author: tag } }), { tag });
    }
    layout.addImage(spdxArtifact(), { tag: 'sbom' });
    layout.write(layoutPath);
    const digests: OciDigest[] = [];
    for (const tag of [...tags, 'sbom']) {
      const { manifestDigest } = await pull(repo, `oci:${layoutPath}:${tag}`, `name/${tag}`, PULL);
      digests.push(manifestDigest);
      if (this.pick(3) === 0) await tagImage(repo, manifestDigest, `again-${tag}`);
    }
    const [subject, artifact] = [digests[0], digests.at(-1)];
    if (this.pick(2) === 0 && subject !== undefined && artifact !== undefined) addReferrer(repo, subject, artifact);
    if (this.pick(2) === 0) {
      const objects = this.some(files).map((data) => ({ id: repo.objects.ensureObject(data), size: data.length }));
      await repo.commitImage(treeOf(...objects), 'named');
    }
    await repo.sync();
  }
}

for (const place of [tmpdir(), '/dev/shm'].filter((each) => existsSync(each))) {
  test(`what du says is free after untag and gc is free then: 4 random cases in ${place}`, async (context) => {
    const folder = tempDir(context, place);
    let freedSomething = 0;
    for (let seed = 1; seed <= 2; seed++) {
      const store = await RandomStore.make(folder, seed);
      await store.repo.gc({ threads: 0 });
      for (let round = 1; round <= 2; round++) freedSomething += (await checkFreed(store)) ? 1 : 0;
      store.repo.close();
    }
    assert.ok(freedSomething >= 3, `only ${freedSomething} of 4 freed anything`);
  });
}

/** Untags some images and collects garbage. @returns whether anything was freed. */
async function checkFreed(store: RandomStore): Promise<boolean> {
  const { repo } = store;
  const all = await imageUsage(repo, { threads: 0 });
  checkSums(all.images);
  const images = all.images.filter(({ manifestDigest }) => manifestDigest !== undefined);
  const some = store.some(images);
  const chosen = some.length === 0 ? images.slice(0, 1) : some;
  const opened = chosen.flatMap(({ manifestDigest }) => manifestDigest ?? []).map((each) => OciImage.open(repo, each));
  const { total, images: measured } = await imageUsage(repo, { images: opened, layers: true });
  assert.deepEqual(
    measured.map((image) => ({ ...image, layers: [] })),
    chosen,
  );
  const before = [measure(repo.path), measure(repo.path, isObject)] as const;
  for (const { tags } of chosen) for (const tag of tags) await untagImage(repo, tag);
  await repo.gc({ threads: 0 });
  const after = [measure(repo.path), measure(repo.path, isObject)] as const;
  assert.deepEqual(plain(total.freed), minus(before[1], after[1]), 'objects');
  const links = minus(minus(before[0], after[0]), plain(total.freed));
  assert.deepEqual(plain(total.freedLinks), links, 'links');
  return total.freed.count > 0;
}

/** The parts make the whole. */
function checkSums(images: readonly ImageUsage[]): void {
  for (const { size, shared, unique, freed } of images) {
    assert.equal(shared.count + unique.count, size.count);
    assert.equal(shared.bytes + unique.bytes, size.bytes);
    assert.equal(shared.disk + unique.disk, size.disk);
    assert.ok(freed.count === 0 || freed.count === unique.count);
  }
}

test('df counts every file of a repository once, by what it is for', async (context) => {
  const folder = tempDir(context);
  for (const seed of [1, 4]) {
    const { repo } = await RandomStore.make(folder, seed);
    for (const [tag] of listRefs(repo).slice(0, 2)) await untagImage(repo, tag);
    const { kinds, total, fileSystem } = await storeUsage(repo);
    const count = (program: string, ...args: string[]): number =>
      Number.parseInt(execFileSync(program, args, { encoding: 'utf8' }), 10);
    assert.equal(total.disk, count('du', '-s', '-B1', repo.path));
    assert.equal(total.bytes, count('du', '-s', '-B1', '--apparent-size', repo.path));
    assert.equal(kinds.directories.count, count('sh', '-c', 'find "$0" -type d | wc -l', repo.path));
    assert.equal(kinds.other.count + kinds.leftovers.count + kinds['partial-downloads'].count, 0);
    assert.equal(kinds.metadata.count, 1);
    assert.ok(fileSystem.available <= fileSystem.free && fileSystem.free < fileSystem.size);
    const garbage = await repo.gc({ dryRun: true });
    assert.equal(kinds.unreachable.count, garbage.objectsRemoved);
    assert.equal(kinds.unreachable.bytes, garbage.objectsBytes);
    repo.close();
  }
});

test('each object is of its kind, and the layers of an image are told apart', async (context) => {
  const folder = tempDir(context);
  const repo = await tempRepository(context);
  const [a, b, c] = [Buffer.alloc(5000, 'a'), Buffer.alloc(5000, 'b'), Buffer.alloc(5000, 'c')];
  const layers = [
    tarArchive([tarDirectory('usr/'), tarFile('usr/a', a), tarFile('usr/b', b)]),
    tarArchive([tarFile('usr/c', c), tarFile('usr/b2', b)]),
  ];
  const layout = join(folder, 'layout');
  new LayoutBuilder()
    .addImage(buildImage(layers), { tag: 'two' })
    .addImage(buildImage(layers.slice(0, 1)), { tag: 'one' })
    .write(layout);
  for (const tag of ['one', 'two']) await pull(repo, `oci:${layout}:${tag}`, tag, PULL);
  await repo.gc();
  const { images } = await imageUsage(repo, { layers: true });
  const two = images.find(({ name }) => name === 'two');
  assert.ok(two !== undefined);
  assert.deepEqual(
    two.layers.map(({ layer }) => layer),
    layers.map((tar) => sha256ContentDigest(tar)),
  );
  const [lower, upper] = two.layers;
  assert.equal(lower?.size.count, 3, 'a, b and the stream');
  assert.equal(lower?.unique.count, 0);
  assert.equal(lower?.freed.count, 0);
  assert.equal(upper?.size.count, 3, 'c, b and the stream');
  assert.equal(upper?.shared.bytes, 5000, 'b is in the other layer, too');
  assert.equal(upper?.freed.count, 2);

  const { kinds } = await storeUsage(repo);
  assert.equal(kinds['layer-files'].count, 3);
  assert.equal(kinds['layer-files'].bytes, 15_000);
  const counts = [kinds.images.count, kinds.documents.count, kinds.streams.count];
  assert.deepEqual(counts, [2, 4, 6]);
  assert.equal(kinds.blobs.count + kinds['other-files'].count + kinds.unreachable.count, 0);

  // A file with another name elsewhere stays when the object goes.
  const path = join(repo.path, 'objects', objectPathname(repo.objects.ensureObject(c)));
  linkSync(path, join(folder, 'elsewhere'));
  const disk = 512 * lstatSync(path).blocks;
  const [again] = (await imageUsage(repo, { images: [OciImage.openRef(repo, 'two')] })).images;
  assert.equal(again?.freed.linked, disk);
  assert.equal(again?.freed.disk, two.freed.disk - disk);
  assert.equal(again?.freed.bytes, two.freed.bytes);
});

test('what other references name is not freed with its tags', async (context) => {
  const layout = join(tempDir(context), 'layout');
  const repo = await tempRepository(context);
  new LayoutBuilder().addImage(spdxArtifact(), { tag: 'sbom' }).write(layout);
  const { manifestDigest } = await pull(repo, `oci:${layout}:sbom`, 'sbom', PULL);
  const [free] = (await imageUsage(repo)).images;
  assert.ok(free !== undefined && free.freed.count === free.size.count);
  addReferrer(repo, sha256ContentDigest(Buffer.from('subject')), manifestDigest);
  const [kept] = (await imageUsage(repo)).images;
  assert.deepEqual(kept?.unique, free.unique);
  assert.equal(kept?.freed.count, 0);
  assert.equal(kept?.freedLinks.count, 1, 'the tag alone');
  assert.equal(kept?.otherRefs.length, 1);
  assert.match(kept?.otherRefs[0] ?? '', /^streams\/refs\/oci-referrers\/sha256:/);
  await untagImage(repo, 'sbom');
  const [named] = (await imageUsage(repo)).images;
  assert.equal(named?.name, manifestDigest);
  assert.deepEqual(named?.tags, []);
});

test('an image that nothing names is garbage already, which is not counted', async (context) => {
  const layout = join(tempDir(context), 'layout');
  const repo = await tempRepository(context);
  new LayoutBuilder().addImage(spdxArtifact(), { tag: 'sbom' }).write(layout);
  const { manifestDigest } = await pull(repo, `oci:${layout}:sbom`, 'sbom', PULL);
  const image = OciImage.open(repo, manifestDigest);
  await untagImage(repo, 'sbom');
  const [usage] = (await imageUsage(repo, { images: [image] })).images;
  assert.equal(usage?.name, manifestDigest);
  assert.equal(usage?.freed.count, 0);
  assert.deepEqual((await imageUsage(repo)).images, []);
});
