import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ComposefsError, errorChain, errorCode, findCause, fullMessage } from '../../../src/errors.js';
import { BlobError } from '../../../src/oci/blob/blob-error.js';
import { readBlob } from '../../../src/oci/blob/verified-read.js';
import { digestEncoded, parseOciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/model/media-types.js';
import { cpuTime } from '../../support/cpu-time.js';
import { locateLayer } from '../../support/layer-blobs.js';
import { blob, buildImage, damage, dataLayerTar, fxOci, indexJson, LayoutBuilder } from '../../support/oci-fixtures.js';
import { withTempDir } from '../../support/paths.js';
import { sparseFile, sparseTars } from '../../support/sparse-tars.js';
import {
  paxHeader,
  tarArchive,
  tarDirectory,
  tarFile,
  tarHardlink,
  tarHeader,
  tarSymlink,
} from '../../support/tar-builder.js';
import { failure, open, RESOLVING, resolvesTo } from './source-support.js';

test('damaged blobs are refused, and the error names the digest', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const { digest, size } = image.manifest.descriptor;
    const cases = [
      [damage.flipByte, 'BLOB_DIGEST_MISMATCH', `Blob digest mismatch: expected ${digest}, got sha256:`],
      [damage.truncate, 'BLOB_SIZE_MISMATCH', `Expected size ${size} but found ${size - 1}`],
      [damage.append, 'BLOB_SIZE_MISMATCH', `Expected size ${size} but found ${size + 1}`],
      [damage.empty, 'BLOB_SIZE_MISMATCH', `Expected size ${size} but found 0`],
    ] as const;
    for (const [change, code, message] of cases) {
      new LayoutBuilder().addImage(image).corrupt(digest, change).write(path);
      await assert.rejects((await open(`oci:${path}`)).manifest(), (error) => {
        assert.equal(errorCode(error), code);
        assert.equal(findCause(error, BlobError)?.digest, digest);
        assert.match(fullMessage(error), new RegExp(`^${RESOLVING}: Reading blob ${digest}: ${message}`));
        return true;
      });
    }
    new LayoutBuilder().addImage(image).corrupt(image.config.descriptor.digest, damage.flipByte).write(path);
    const source = await open(`oci:${path}`);
    const { value } = await source.manifest();
    await assert.rejects(source.readBlob(value.config), { code: 'BLOB_DIGEST_MISMATCH' });
    const wrongSize = { ...image.config.descriptor, size: 1 };
    await assert.rejects(locateLayer(source, wrongSize), (error) => {
      const expected = `Expected size 1 but found ${image.config.bytes.length}`;
      assert.deepEqual(errorChain(error), [`Opening layer blob ${wrongSize.digest}`, expected]);
      return true;
    });
  });
});

test('a missing blob and a digest of another algorithm are refused', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const { digest } = image.manifest.descriptor;
    const layout = new LayoutBuilder().addImage(image).remove(digest);
    layout.write(path);
    assert.equal((await failure(`oci:${path}`)).at(-1), `Blob ${digest} not found in oci:${path}`);
    const sha512 = parseOciDigest(`sha512:${'0'.repeat(128)}`);
    new LayoutBuilder().addImage(image, { descriptor: { digest: sha512 } }).write(path);
    assert.equal((await failure(`oci:${path}`)).at(-1), `Blob ${sha512} not found in oci:${path}`);
    const other = parseOciDigest('blake3:00');
    new LayoutBuilder().addImage(image, { descriptor: { digest: other } }).write(path);
    assert.equal((await failure(`oci:${path}`)).at(-1), `Expected digest algorithm sha256 but found ${other}`);
  });
});

test('declared sizes are bounded before anything is read', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const { digest } = image.manifest.descriptor;
    const gigabyte = 2 ** 30;
    new LayoutBuilder().addImage(image, { descriptor: { size: gigabyte } }).write(path);
    const file = join(path, 'blobs', 'sha256', digestEncoded(digest));
    truncateSync(file, gigabyte);
    const message = `Blob ${digest} of 1073741824 bytes exceeds the limit of 4194304 bytes`;
    assert.deepEqual(await failure(`oci:${path}`), [RESOLVING, message]);
    truncateSync(join(path, 'index.json'), gigabyte);
    assert.match((await failure(`oci:${path}`)).join(': '), /index\.json of 1073741824 bytes exceeds the limit/);
  });
});

test('a digest cannot lead out of the layout', async () => {
  await withTempDir(async (path) => {
    new LayoutBuilder().write(path);
    for (const digest of ['sha256:../../../etc/passwd', `sha256:${'../'.repeat(21)}x`, 'sha256:index.json']) {
      const entry = { mediaType: OCI_MANIFEST, digest, size: 1 };
      writeFileSync(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
      const chain = await failure(`oci:${path}`);
      assert.match(chain[1] ?? '', /^Invalid image index: field 'manifests\.0\.digest': Invalid encoded value /);
    }
  });
});

test('links to other things than files, and directories, do not count as blobs, and no link as the index', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const layout = join(path, 'layout');
    const secret = join(path, 'secret');
    new LayoutBuilder().addImage(image).write(layout);
    const file = join(layout, 'blobs', 'sha256', digestEncoded(image.manifest.descriptor.digest));
    renameSync(file, secret);
    symlinkSync(path, file);
    assert.equal((await failure(`oci:${layout}`)).at(-1), `${path} is not a regular file`);
    rmSync(file);
    symlinkSync('/dev/zero', file);
    assert.equal((await failure(`oci:${layout}`)).at(-1), '/dev/zero is not a regular file');
    rmSync(file);
    symlinkSync(join(path, 'nothing'), file);
    assert.match((await failure(`oci:${layout}`)).at(-1) ?? '', /^Blob .* not found/);
    rmSync(file);
    mkdirSync(file);
    assert.equal((await failure(`oci:${layout}`)).at(-1), `${file} is not a regular file`);
    renameSync(join(layout, 'index.json'), join(path, 'index.json'));
    symlinkSync(join(path, 'index.json'), join(layout, 'index.json'));
    await assert.rejects((await open(`oci:${layout}`)).manifest(), { code: 'ELOOP' });
    renameSync(join(layout, 'blobs'), join(path, 'blobs'));
    symlinkSync(join(path, 'blobs'), join(layout, 'blobs'));
    assert.match((await failure(`oci:${layout}`)).at(-1) ?? '', /leads out of it/);
  });
});

test('a blob may be a link to a file, which must have the content of its digest', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const layout = join(path, 'layout');
    new LayoutBuilder().addImage(image).write(layout);
    const blobs = join(layout, 'blobs', 'sha256');
    for (const name of readdirSync(blobs)) {
      renameSync(join(blobs, name), join(path, name));
      symlinkSync(join('../../..', name), join(blobs, name));
    }
    await resolvesTo(`oci:${layout}`, image);
    const source = await open(`oci:${layout}`);
    const [layer] = image.layers;
    assert.ok(layer !== undefined);
    const location = await locateLayer(source, layer.descriptor);
    assert.equal(location.path, join(path, digestEncoded(layer.descriptor.digest)));
    assert.deepEqual(readBlob(location, layer.descriptor), layer.bytes);
    await source.close();

    const { digest, size } = image.manifest.descriptor;
    writeFileSync(join(path, digestEncoded(digest)), Buffer.alloc(size));
    assert.match(
      (await failure(`oci:${layout}`)).at(-1) ?? '',
      new RegExp(`^Blob digest mismatch: expected ${digest}`),
    );
  });
});

test('blobs may have digests of SHA-512', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const { bytes } = image.manifest;
    const hex = createHash('sha512').update(bytes).digest('hex');
    const builder = new LayoutBuilder().addImage(image, { descriptor: { digest: parseOciDigest(`sha512:${hex}`) } });
    builder.write(path);
    mkdirSync(join(path, 'blobs', 'sha512'));
    writeFileSync(join(path, 'blobs', 'sha512', hex), bytes);
    await resolvesTo(`oci:${path}`, image);
    const files = [...builder.files(), [`blobs/sha512/${hex}`, bytes] as const];
    writeFileSync(
      join(path, 'a.tar'),
      tarArchive(
        files.map(([name, content]) => Buffer.concat([paxHeader([['path', name]]), tarFile('long', content)])),
      ),
    );
    await resolvesTo(`oci-archive:${join(path, 'a.tar')}`, image);
    writeFileSync(join(path, 'blobs', 'sha512', hex), Buffer.alloc(bytes.length));
    assert.match((await failure(`oci:${path}`)).at(-1) ?? '', /^Blob digest mismatch: expected sha512:/);
  });
});

test('an index that lists one blob very often is searched in time', async () => {
  await withTempDir(async (path) => {
    const other = buildImage([dataLayerTar(10)], { os: 'plan9' });
    const entry = other.manifest.descriptor;
    const inner = blob(OCI_INDEX, indexJson(Array.from({ length: 5000 }, () => entry)));
    const layout = new LayoutBuilder().addBlobs(other).addBlob(inner.bytes);
    for (let i = 0; i < 5000; i++) layout.addEntry(inner.descriptor);
    layout.write(path);
    const start = cpuTime();
    assert.match((await failure(`oci:${path}`)).at(-1) ?? '', /^No manifest found/);
    assert.ok(cpuTime() - start < 5000);
  });
});

test('an index that contains itself ends in an error', async () => {
  await withTempDir(async (path) => {
    // The digest is wrong by necessity, but it is the nesting or the digest that stops it, never the stack.
    const loop = blob(OCI_INDEX, indexJson([]));
    new LayoutBuilder()
      .addBlob(loop.bytes)
      .corrupt(loop.descriptor.digest, () => indexJson([loop.descriptor]))
      .addEntry({ ...loop.descriptor, size: indexJson([loop.descriptor]).length })
      .write(path);
    await assert.rejects((await open(`oci:${path}`)).manifest(), { code: 'BLOB_DIGEST_MISMATCH' });
  });
});

test('of an archive only members of the right names count, and the last of a name', async () => {
  await withTempDir(async (path) => {
    const file = join(path, 'image.tar');
    const image = fxOci();
    const files = [...new LayoutBuilder().addImage(image).files()];
    const write = (parts: readonly Buffer[]): void => writeFileSync(file, tarArchive(parts));
    const plain = files.map(([name, bytes]) => tarFile(name, bytes));

    write(files.map(([name, bytes]) => tarFile(`./${name}`, bytes)));
    await resolvesTo(`oci-archive:${file}`, image);
    write([tarFile('index.json', 'old'), ...plain, tarFile('../index.json', 'x'), tarFile('a/index.json', 'y')]);
    await resolvesTo(`oci-archive:${file}`, image);
    write(files.map(([name, bytes]) => tarFile(`/${name}`, bytes)));
    await resolvesTo(`oci-archive:${file}`, image);
    write(files.map(([name, bytes]) => Buffer.concat([paxHeader([['path', name]]), tarFile('other', bytes)])));
    await resolvesTo(`oci-archive:${file}`, image);
    write([...plain, tarDirectory('blobs/')]);
    await resolvesTo(`oci-archive:${file}`, image);
    write([...plain, tarSymlink('index.json', '/etc/passwd')]);
    const message = 'Invalid archive: it has no file "index.json", a link to "etc/passwd"';
    assert.equal((await failure(`oci-archive:${file}`)).at(-1), message);
    write(plain.slice(2));
    assert.match((await failure(`oci-archive:${file}`))[1] ?? '', /Cannot find the Image Index/);
    write([]);
    assert.match((await failure(`oci-archive:${file}`))[1] ?? '', /Cannot find the Image Index/);
  });
});

test('archives that are cut short are refused', async () => {
  await withTempDir(async (path) => {
    const file = join(path, 'image.tar');
    const archive = new LayoutBuilder().addImage(fxOci()).archive();
    writeFileSync(file, archive.subarray(0, 700));
    await assert.rejects(open(`oci-archive:${file}`), { code: 'INVALID_ARCHIVE' });
    writeFileSync(file, tarHeader({ name: 'index.json', size: 2 ** 30 }));
    await assert.rejects(open(`oci-archive:${file}`), { code: 'INVALID_ARCHIVE' });
    const manyRegions = sparseTars(sparseFile(1000, Array(5).fill([0, 0])), 'index.json').gnu;
    writeFileSync(file, manyRegions.subarray(0, 512));
    await assert.rejects(open(`oci-archive:${file}`), { code: 'INVALID_ARCHIVE' });
    writeFileSync(file, Buffer.from('not a tar'.repeat(100)));
    await assert.rejects(open(`oci-archive:${file}`), (error) => {
      assert.deepEqual(errorChain(error).slice(0, 2), [`Opening OCI archive ${file}`, 'Invalid archive: it is no tar']);
      return errorCode(error) === 'INVALID_ARCHIVE';
    });
    writeFileSync(file, '');
    assert.match((await failure(`oci-archive:${file}`))[1] ?? '', /Cannot find the Image Index/);
  });
});

test('the digest of a manifest is that of its bytes, however unusual', async () => {
  await withTempDir(async (path) => {
    const image = fxOci({
      editManifest: (json) => Buffer.from(`${JSON.stringify(JSON.parse(json.toString()), null, '\t')}\n`),
    });
    new LayoutBuilder().addImage(image).write(path);
    const manifest = await (await open(`oci:${path}`)).manifest();
    assert.equal(manifest.digest, sha256ContentDigest(image.manifest.bytes));
    assert.ok(manifest.raw.includes('\t\t'));
  });
});

test('a damaged archive gives an error of this library or the right content, never anything else', async () => {
  await withTempDir(async (path) => {
    const file = join(path, 'image.tar');
    const image = fxOci();
    const archive = new LayoutBuilder().addImage(image).archive();
    const change = fc.record({ at: fc.nat({ max: archive.length - 1 }), to: fc.nat({ max: 255 }) });
    const damaged = fc.record({ changes: fc.array(change, { maxLength: 3 }), length: fc.nat({ max: archive.length }) });
    const runs = Number(process.env['COMPOSEFS_TEST_FUZZ'] ?? 300);
    await fc.assert(
      fc.asyncProperty(damaged, async ({ changes, length }) => {
        const bytes = Buffer.from(archive.subarray(0, changes.length === 0 ? length : archive.length));
        for (const { at, to } of changes) bytes[at] = to;
        writeFileSync(file, bytes);
        try {
          const manifest = await (await open(`oci-archive:${file}`)).manifest();
          assert.equal(manifest.digest, image.manifest.descriptor.digest);
        } catch (error) {
          assert.ok(error instanceof ComposefsError, String(error));
          assert.notEqual(error.code, 'INTERNAL');
        }
      }),
      { numRuns: runs },
    );
  });
});

test('blobs of an archive may be links to other members', async () => {
  await withTempDir(async (path) => {
    const image = fxOci();
    const files = [...new LayoutBuilder().addImage(image).files()];
    const stored = files.map(([, content], i) => tarFile(`store/${i}`, content));
    const hardLinks = files.map(([name], i) => tarHardlink(name, `store/${i}`));
    const symlinks = files.map(([name], i) =>
      tarSymlink(`./${name}`, `${'../'.repeat(name.split('/').length - 1)}store/${i}`),
    );
    for (const [name, links] of Object.entries({ hardLinks, symlinks })) {
      writeFileSync(join(path, name), tarArchive([...stored, ...links]));
      await resolvesTo(`oci-archive:${join(path, name)}`, image);
    }
    writeFileSync(join(path, 'out'), tarArchive([tarSymlink('index.json', '../../etc/passwd')]));
    const message = 'Invalid archive: it has no file "index.json", a link to "../../etc/passwd"';
    assert.equal((await failure(`oci-archive:${join(path, 'out')}`)).at(-1), message);
  });
});
