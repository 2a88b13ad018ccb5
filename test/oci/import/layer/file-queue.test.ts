import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { byteStringFromText } from '../../../../src/bytes/byte-string.js';
import { computeVerity } from '../../../../src/composefs/fsverity/digest.js';
import { ImportContext } from '../../../../src/composefs/repository/objects/import-file.js';
import { ObjectStore } from '../../../../src/composefs/repository/objects/object-store.js';
import type { Repository } from '../../../../src/composefs/repository/repository.js';
import { FileBatch } from '../../../../src/oci/import/layer/file-batch.js';
import { FileQueue } from '../../../../src/oci/import/layer/file-queue.js';
import { FileSink } from '../../../../src/oci/import/layer/file-sink.js';
import { HelpedQueue, type ToHelper } from '../../../../src/oci/import/layer/helped-queue.js';
import { nameObjects } from '../../../../src/oci/import/layer/name-objects.js';
import { type StoredLayer, storePushedTar } from '../../../../src/oci/import/layer/store-tar.js';
import { type ImportPool, importPool } from '../../../../src/oci/import/threads/import-pool.js';
import type { OciDigest } from '../../../../src/oci/model/digest.js';
import type { LayerFile } from '../../../../src/storage/index.js';
import { tempDir, tempRepository } from '../../../composefs/repository/temp-repository.js';
import { padded, tarEntry, tarHeader } from '../../../support/tar-builder.js';

const FILES = { zeroCopy: false, mayChange: false };
const END = Buffer.alloc(1024);

/** A layer of files of these sizes; equal sizes are equal contents. */
class UnpackedLayer {
  readonly directory: string;
  readonly sizes: readonly number[];

  constructor(context: TestContext, sizes: readonly number[]) {
    this.directory = tempDir(context);
    this.sizes = sizes;
    for (const [index, size] of sizes.entries()) writeFileSync(this.path(index), this.content(size));
  }

  path(index: number): string {
    return join(this.directory, `file-${index}`);
  }

  content(size: number): Buffer {
    return Buffer.alloc(size, `${size} `);
  }

  get diffId(): OciDigest {
    const hash = createHash('sha256');
    for (const [index, size] of this.sizes.entries()) {
      hash.update(tarEntry({ name: `file-${index}`, size }, this.content(size)));
    }
    return `sha256:${hash.update(END).digest('hex')}` as OciDigest;
  }

  /** As `rebuildTar` does. */
  async giveTo(batch: FileBatch): Promise<void> {
    for (const [index, size] of this.sizes.entries()) {
      const name = `file-${index}`;
      batch.bytes(tarHeader({ name, size }));
      if (size === 0) continue;
      const fd = openSync(this.path(index), constants.O_RDONLY);
      const file: LayerFile = { fd, stat: fstatSync(fd, { bigint: true }), size, name: byteStringFromText(name) };
      await batch.file(file);
      batch.bytes(padded(Buffer.alloc(size % 512)).subarray(size % 512));
      // Answers of helpers come.
      if (index % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    batch.bytes(END);
    batch.flush();
  }

  openFiles(): number {
    const targets = readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    });
    return targets.filter((target) => target.startsWith(this.directory)).length;
  }
}

interface StoreOptions {
  readonly diffId?: OciDigest;
  readonly pool?: ImportPool | undefined;
  /** Acts as a helper in place of a thread of the pool. */
  readonly helper?: (queue: HelpedQueue) => void;
}

/** What `storeFiles` does with a store. */
async function store(
  layer: UnpackedLayer,
  repo: Repository,
  { diffId = layer.diffId, pool, helper }: StoreOptions = {},
): Promise<StoredLayer> {
  const objects = new ObjectStore(repo.objects.options);
  objects.deferNames();
  const sink = new FileSink(objects, new ImportContext(FILES));
  const helped = new HelpedQueue(sink, { objects: 8, waiting: 2 });
  helper?.(helped);
  const helping = pool && helpBy(pool, helped, repo);
  try {
    const queue = new FileQueue(objects, sink, helped);
    const stored = await storePushedTar(objects, diffId, { queue }, async (push) => {
      const batch = new FileBatch(queue, push, new AbortController().signal);
      try {
        await layer.giveTo(batch);
      } finally {
        batch.close();
      }
    });
    objects.sync();
    await nameObjects(objects, helped);
    return stored;
  } catch (error) {
    await helped.dropFiles();
    throw error;
  } finally {
    helped.close();
    objects.dropUnnamed();
    await helping;
  }
}

function helpBy(pool: ImportPool, queue: HelpedQueue, repo: Repository): Promise<undefined> {
  const { port1, port2 } = new MessageChannel();
  queue.addHelper(port1);
  const input = { store: repo.objects.options, port: port2, files: FILES };
  return pool.run('help-layer', input, { transfer: [port2] });
}

const SIZES = [
  ...Array.from({ length: 60 }, (_, index) => 60 + index),
  ...Array.from({ length: 40 }, (_, index) => 20_000 + (index % 30) * 7_001),
  0,
  700_000,
  // More than a batch of the reader, of the helper, and than goes in one piece.
  1_500_000,
  9_000_000,
  70,
];

test('a thread that helps links the files that this one would', async (context) => {
  const layer = new UnpackedLayer(context, SIZES);
  const pool = importPool(1);
  context.after(() => pool.close());
  const [alone, helped] = [await tempRepository(context), await tempRepository(context)];
  const one = await store(layer, alone);
  const other = await store(layer, helped, { pool });
  assert.equal(layer.openFiles(), 0);
  // The small ones are inline.
  const large = new Set(SIZES.filter((size) => size > 64));
  assert.equal(one.stats.objectsCopied + one.stats.objectsHardlinked + one.stats.objectsReflinked, large.size);
  assert.equal(one.stats.objectsAlreadyPresent, SIZES.filter((size) => size > 64).length - large.size);
  assert.deepEqual(other, one);
  for (const size of large) {
    const id = computeVerity('sha512', layer.content(size));
    for (const repo of [alone, helped]) assert.ok(repo.objects.isIntact(id), `${size} bytes`);
  }
  if (one.stats.objectsHardlinked > 0) assert.equal(statSync(layer.path(SIZES.indexOf(700_000))).nlink, 3);
});

test('of a layer that is another one no file stays open, whoever has them', async (context) => {
  const layer = new UnpackedLayer(context, SIZES);
  const repo = await tempRepository(context);
  const pool = importPool(1);
  context.after(() => pool.close());
  const diffId = `sha256:${'0'.repeat(64)}` as OciDigest;
  await assert.rejects(store(layer, repo, { diffId, pool }), { code: 'DIFF_ID_MISMATCH' });
  await assert.rejects(store(layer, repo, { diffId }), { code: 'DIFF_ID_MISMATCH' });
  assert.equal(layer.openFiles(), 0);
});

test('a helper that is gone takes no file along, and one that fails leaves them to this thread', async (context) => {
  const layer = new UnpackedLayer(context, SIZES);
  const gone = await tempRepository(context);
  const helper = (act: (message: ToHelper, close: () => void) => unknown) => (queue: HelpedQueue) => {
    const { port1, port2 } = new MessageChannel();
    port2.on('message', (message: ToHelper) => {
      const answer = act(message, () => port2.close());
      if (answer !== undefined) port2.postMessage(answer);
    });
    queue.addHelper(port1);
  };
  const leaves = helper((_, close) => void close());
  await assert.rejects(store(layer, gone, { helper: leaves }), { code: 'WORKER_EXITED' });
  assert.equal(layer.openFiles(), 0);

  const failed = await tempRepository(context);
  const fails = helper((message) =>
    message.type === 'batch' ? { ...message, type: 'failed' } : { type: 'named', hadNone: true },
  );
  assert.deepEqual(await store(layer, failed, { helper: fails }), await store(layer, await tempRepository(context)));
  assert.equal(layer.openFiles(), 0);
});

test('a file that is cut short is an error that names it', async (context) => {
  const layer = new UnpackedLayer(context, [5000, 6000, 7000]);
  truncateSync(layer.path(1), 10);
  await assert.rejects(store(layer, await tempRepository(context)), {
    code: 'LAYER_FILE_CHANGED',
    message: 'file "file-1" was cut short',
  });
  assert.equal(layer.openFiles(), 0);
});
