import assert from 'node:assert/strict';
import {
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { errorCode } from '../../src/errors.js';
import { withFd } from '../../src/fs/files.js';
import { findImage } from '../../src/storage/find-image.js';
import { findLayers } from '../../src/storage/find-layers.js';
import { rebuildTar, requireUnchangedFiles } from '../../src/storage/rebuild-tar.js';
import { ContainerStore, type StoreDriver } from '../../src/storage/store.js';
import { fuzzRuns } from '../oci/fuzz-runs.js';
import { buildImage } from '../support/oci-fixtures.js';
import { withTempDir } from '../support/paths.js';
import { StoreBuilder } from '../support/store-builder.js';
import { paxHeader, tarArchive, tarDirectory, tarFile, tarHardlink } from '../support/tar-builder.js';

/** In no tar, but in every file that a mutation could lead to. */
const CANARY = 'CANARY';

const TARS = [
  tarArchive([tarDirectory('d/'), tarFile('d/a', 'a'.repeat(200)), tarHardlink('d/h', 'd/a'), tarFile('e', '1')]),
  tarArchive([paxHeader([['path', 'd/long']]), tarFile('x', 'b'.repeat(100)), tarFile('d/a', 'c'.repeat(65))]),
];

/** What is neither a mutation's doing nor ours to explain. */
const ERRORS = /^(?:[A-Z_]*STORE[A-Z_]*|LAYER_[A-Z_]+|INVALID_TAR_SPLIT|AMBIGUOUS_IMAGE|FILE_TOO_LARGE|E[A-Z]+)$/;

/** Reads what a pull reads. Returns the bytes of all layers, or the code of the error. */
async function readAll(root: string, driver: StoreDriver): Promise<{ bytes: Buffer; code: string | undefined }> {
  const parts: Buffer[] = [];
  let store: ContainerStore | undefined;
  try {
    store = new ContainerStore({ root, driver });
    const { record } = findImage([store], 'localhost/app:1');
    for (const key of record.bigDataNames) parts.push(store.bigData(record.id, key, 1 << 20) ?? Buffer.alloc(0));
    const layers = store.layers().flatMap(({ diffDigest }) => diffDigest ?? []);
    for (const { record: layer } of findLayers([store], layers).values()) {
      await rebuildTar(store, layer.id, {
        bytes: (bytes) => void parts.push(Buffer.from(bytes)),
        file: ({ fd, size }) => {
          const content = Buffer.alloc(Math.min(size, 1 << 20));
          withFd(fd, () => readSync(fd, content));
          parts.push(content);
        },
      });
      await requireUnchangedFiles(store, layer.id);
    }
    return { bytes: Buffer.concat(parts), code: undefined };
  } catch (error) {
    return { bytes: Buffer.concat(parts), code: errorCode(error) };
  } finally {
    store?.close();
  }
}

/** All paths below a directory, shortest first. */
function pathsBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
}

/** Changes some bytes: of what is packed, mostly those that were packed. */
function mutate(bytes: Buffer, at: number, change: Buffer, isPacked: boolean): Buffer {
  const plain = isPacked ? gunzipSync(bytes) : Buffer.from(bytes);
  const start = plain.length === 0 ? 0 : at % plain.length;
  const changed = Buffer.concat([
    plain.subarray(0, start),
    change,
    plain.subarray(start + (at % 3 === 0 ? 0 : change.length)),
  ]);
  return isPacked ? gzipSync(changed, { level: 1 }) : changed;
}

const TOKENS = [
  '../',
  '/',
  '..',
  '"',
  '0',
  '9999999999999',
  'null',
  '{}',
  '\\u0000',
  'size',
  '"type":1,',
  'l/',
  ':',
  '\n',
];

for (const driver of ['overlay', 'vfs'] as const) {
  test(`a store of ${driver} with changed bytes, links and sizes leads nowhere else`, async (context) => {
    await withTempDir(async (dir) => {
      const original = join(dir, 'original');
      const builder = new StoreBuilder(original, driver);
      builder.addImage(buildImage(TARS), TARS, ['localhost/app:1']);
      const outside = join(dir, 'outside');
      mkdirSync(join(outside, 'd'), { recursive: true });
      for (const name of ['a', 'e', 'd/a', 'd/long', 'layers.json', 'images.json', 'manifest', 'lower']) {
        writeFileSync(join(outside, name), CANARY.repeat(40));
      }
      const whole = await readAll(original, driver);
      assert.equal(whole.code, undefined);
      const paths = pathsBelow(original);
      const files = paths.filter((path) => lstatSync(join(original, path)).isFile());
      const root = join(dir, 'store');
      cpSync(original, root, { recursive: true, verbatimSymlinks: true });
      const descriptors = readdirSync('/proc/self/fd').length;
      let refused = 0;

      const check = async (path: string, change: () => void): Promise<void> => {
        const place = join(root, path);
        change();
        const { bytes, code } = await readAll(root, driver);
        if (code !== undefined) {
          refused++;
          assert.match(code, ERRORS);
        }
        assert.equal(bytes.includes(CANARY), false, path);
        rmSync(place, { recursive: true, force: true });
        cpSync(join(original, path), place, { recursive: true, verbatimSymlinks: true });
      };

      const token = fc.oneof(
        fc.constantFrom(...TOKENS).map((text) => Buffer.from(text)),
        fc.uint8Array({ minLength: 1, maxLength: 3 }).map((each) => Buffer.from(each)),
      );
      const runs = fuzzRuns(200);
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...files),
          fc.nat(10_000),
          token,
          fc.boolean(),
          async (path, at, change, raw) => {
            const isPacked = path.endsWith('.gz') && !raw;
            await check(path, () =>
              writeFileSync(join(root, path), mutate(readFileSync(join(original, path)), at, change, isPacked)),
            );
          },
        ),
        { numRuns: runs },
      );
      for (const path of paths) {
        for (const target of [
          outside,
          join(outside, 'a'),
          `${'../'.repeat(path.split('/').length)}outside`,
          '/',
          '.',
        ]) {
          await check(path, () => {
            rmSync(join(root, path), { recursive: true });
            symlinkSync(target, join(root, path));
          });
        }
        await check(path, () => {
          rmSync(join(root, path), { recursive: true });
          mkdirSync(join(root, path));
        });
      }
      assert.deepEqual(await readAll(root, driver), whole);
      assert.equal(readdirSync('/proc/self/fd').length, descriptors);
      context.diagnostic(`${runs} mutations and ${paths.length * 6} links, ${refused} refused`);
    });
  });
}
