import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { errorCode, fullMessage } from '../../../src/errors.js';
import { openArchive } from '../../../src/oci/blob/archive-file.js';
import { readBlob } from '../../../src/oci/blob/verified-read.js';
import { locateLayer } from '../../support/layer-blobs.js';
import { fxLarge, LayoutBuilder, zstdRawFrame } from '../../support/oci-fixtures.js';
import { openSource } from '../../support/open-source.js';
import { withTempDir } from '../../support/paths.js';

/** Descriptors of files that are open and have no name. */
function openWithoutName(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /composefs-spool-.* \(deleted\)$/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

test('a compressed archive is read as the tar that it holds, and leaves nothing behind', async () => {
  const image = fxLarge({ compression: 'none' });
  const tar = new LayoutBuilder().addImage(image, { tag: 'a' }).archive();
  const half = tar.length >> 1;
  const forms = {
    gzip: gzipSync(tar),
    'two members': Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))]),
    zstd: zstdRawFrame(tar),
  };
  await withTempDir(async (root) => {
    for (const [name, bytes] of Object.entries(forms)) {
      const file = join(root, 'image.tar');
      writeFileSync(file, bytes);
      const source = await openSource(`oci-archive:${file}:a`, { platform: image.platform });
      assert.equal(source.identity.scopes[0], file);
      assert.equal(openWithoutName(), 1);
      // It is a copy by now.
      rmSync(file);
      assert.equal((await source.manifest()).digest, image.manifest.descriptor.digest, name);
      for (const { descriptor, bytes: content } of image.layers) {
        const location = await locateLayer(source, descriptor);
        assert.deepEqual(readBlob(location, descriptor), content);
      }
      await source.close();
      assert.equal(openWithoutName(), 0);
    }
  });
});

test('an archive that cannot be decompressed is refused by name, and leaves nothing open', async () => {
  const tar = new LayoutBuilder().addImage(fxLarge({ compression: 'none' })).archive();
  const gzip = gzipSync(tar);
  const cases: [bytes: Buffer, code: string, message: string][] = [
    [gzip.subarray(0, -100), 'COMPRESSED_DATA_TRUNCATED', 'truncated gzip data: incomplete frame'],
    [Buffer.concat([gzip, Buffer.from('trailing')]), 'COMPRESSED_TRAILING_DATA', 'trailing data after the gzip stream'],
    [Buffer.from('fd377a585a0000', 'hex'), 'COMPRESSION_UNSUPPORTED', 'xz compression is not supported'],
    [Buffer.from('425a6839314159265359', 'hex'), 'COMPRESSION_UNSUPPORTED', 'bzip2 compression is not supported'],
  ];
  await withTempDir(async (root) => {
    const file = join(root, 'image.tar');
    const before = readdirSync('/proc/self/fd').length;
    for (const [bytes, code, message] of cases) {
      writeFileSync(file, bytes);
      for (const [transport, kind] of [
        ['oci-archive', 'OCI'],
        ['docker-archive', 'Docker'],
      ]) {
        await assert.rejects(openSource(`${transport}:${file}`), (error) => {
          assert.equal(errorCode(error), code);
          assert.equal(fullMessage(error), `Opening ${kind} archive ${file}: ${message}`);
          return true;
        });
      }
    }
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });
});

test('decompression stops when it is told to', async () => {
  await withTempDir(async (root) => {
    const file = join(root, 'image.tar.gz');
    writeFileSync(file, gzipSync(Buffer.alloc(10_000_000)));
    await assert.rejects(openArchive(file, AbortSignal.abort(new Error('enough'))), { message: 'enough' });
  });
});

test('an archive is that which was opened, whatever its path leads to later', async () => {
  await withTempDir(async (root) => {
    const [a, b] = [join(root, 'a'), join(root, 'b')];
    for (const folder of [a, b]) mkdirSync(folder);
    writeFileSync(join(a, 'x.tar'), 'first');
    writeFileSync(join(b, 'x.tar'), 'second');
    symlinkSync('a', join(root, 'link'));
    const archive = await openArchive(join(root, 'link', 'x.tar'));
    rmSync(join(root, 'link'));
    symlinkSync('b', join(root, 'link'));
    assert.equal(archive.realPath, join(a, 'x.tar'));
    renameSync(join(b, 'x.tar'), join(a, 'x.tar'));
    assert.equal(readFileSync(archive.path, 'utf8'), 'first');
    archive.close();
  });
});
