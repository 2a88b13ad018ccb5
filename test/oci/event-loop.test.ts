import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { computeImageId, Repository, readErofsTree, writeErofs } from '../../src/composefs/index.js';
import {
  createFilesystem,
  inspectImage,
  layerDumpfile,
  layerInfo,
  layerTar,
  listImages,
  OciImage,
  ociFsck,
  parseOciDigest,
  pull,
  tagImage,
} from '../../src/index.js';
import { AMD64, buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';

/**
 * No call keeps other work of its thread waiting for longer than this. What counts is the processor time of the thread
 * between two of its turns: a machine that is busy with something else takes longer, but not more of that.
 */
const LIMIT_MS = 20;
/** A collection of garbage, or code that is compiled, may come in between. */
const ATTEMPTS = 4;
const FILES = 12_000;

const folder = mkdtempSync(join(tmpdir(), 'composefs-oci-test-event-loop-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let repo: Repository;
let image: OciImage;
let reference: string;
before(async () => {
  ({ repo } = await Repository.init(join(folder, 'repo'), { algorithm: 'sha256', insecure: true }));
  const entries = [tarDirectory('usr/')];
  for (let index = 0; index < FILES; index++) {
    if (index % 100 === 0) entries.push(tarDirectory(`usr/${index}/`));
    const size = index % 4 === 0 ? 200 : 20;
    entries.push(tarFile(`usr/${index - (index % 100)}/${index}`, `${index} `.repeat(size)));
  }
  entries.push(tarFile('usr/large', Buffer.alloc(64 * 1024 * 1024, 'large')));
  const layout = buildImage([tarArchive(entries)], { compression: 'none' });
  new LayoutBuilder().addImage(layout, { tag: 'image' }).write(join(folder, 'layout'));
  reference = `oci:${join(folder, 'layout')}:image`;
  await pull(repo, reference, 'image', { platform: AMD64 });
  image = OciImage.openRef(repo, 'image');
  for (let index = 0; index < 300; index++) repo.nameStream(`oci-manifest-${image.manifestDigest}`, `oci/tag-${index}`);
  await repo.sync();
});
after(() => repo.close());

/** Milliseconds of the processor that this process's first thread has used. */
function processorTime(): number {
  const [nanoseconds = ''] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ');
  return Number(nanoseconds) / 1e6;
}

async function longestTurn(action: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = processorTime();
  const look = (): void => {
    const now = processorTime();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const ticker = setInterval(look, 1);
  try {
    await action();
    // What comes after the last turn counts, too.
    await new Promise((resolve) => setImmediate(resolve));
    look();
    return longest;
  } finally {
    clearInterval(ticker);
  }
}

async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pieces);
}

const diffId = () => parseOciDigest(image.layerDiffIds()[0] ?? '');
const erofs = () => image.imageRef(repo.erofsVersion) ?? '';
const tree = () => createFilesystem(repo, image.configDigest, { configVerity: image.configVerity });

const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  'pull again': () => pull(repo, reference, 'image', { platform: AMD64 }),
  listImages: () => listImages(repo),
  inspectImage: () => inspectImage(repo, image),
  'createFilesystem, trusted': () => tree(),
  'createFilesystem, verifying': () => createFilesystem(repo, image.configDigest),
  readImageTree: () => repo.readImageTree(erofs()),
  objectsForImage: () => repo.objectsForImage(erofs()),
  layerInfo: () => layerInfo(repo, diffId()),
  layerDumpfile: () => drain(layerDumpfile(repo, diffId())),
  layerTar: () => drain(layerTar(repo, diffId())),
  tagImage: () => tagImage(repo, image.manifestDigest, 'other'),
  fsck: () => repo.fsck(),
  ociFsck: () => ociFsck(repo),
  gc: () => repo.gc(),
  sync: () => repo.sync(),
};

for (const [name, call] of Object.entries(calls)) {
  test(`${name} leaves room for others`, async (t) => {
    await assertShort(t, call);
  });
}

test('images of trees are made in turns', async (t) => {
  const root = await tree();
  await assertShort(t, () => computeImageId(root, 1, 'sha256'));
  await assertShort(t, () => repo.commitImage(root, 'again'));
  const bytes = await writeErofs(root, { version: 1, algorithm: 'sha256' });
  await assertShort(t, () => readErofsTree(bytes, 'sha256'));
});

async function assertShort(t: { diagnostic(text: string): void }, call: () => Promise<unknown>): Promise<void> {
  const turns: number[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    turns.push(await longestTurn(call));
    if ((turns.at(-1) ?? 0) < LIMIT_MS) break;
  }
  t.diagnostic(`longest turn: ${turns.map((turn) => turn.toFixed(1)).join(', ')} ms`);
  assert.ok(
    Math.min(...turns) < LIMIT_MS,
    `the thread was busy for ${turns.map((turn) => turn.toFixed(1)).join(', ')} ms`,
  );
}
