import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorChain } from '../../../src/errors.js';
import { realPathOf } from '../../../src/oci/blob/opened-path.js';
import { digestEncoded } from '../../../src/oci/model/digest.js';
import { fxBoot, fxOci, LayoutBuilder, type TestImage } from '../../support/oci-fixtures.js';
import { openSource } from '../../support/open-source.js';
import { withTempDir } from '../../support/paths.js';
import { withFd } from '../../support/with-fd.js';

/** The forms of an image that policies know by their paths; each writes one and returns what is to be named. */
const FORMS: Record<string, (folder: string, image: TestImage) => string> = {
  oci: (folder, image) => new LayoutBuilder().addImage(image).write(folder),
  'oci-archive': (folder, image) => {
    writeFileSync(join(folder, 'image.tar'), new LayoutBuilder().addImage(image).archive());
    return join(folder, 'image.tar');
  },
  dir: (folder, image) => {
    writeFileSync(join(folder, 'manifest.json'), image.manifest.bytes);
    writeFileSync(join(folder, digestEncoded(image.config.descriptor.digest)), image.config.bytes);
    return folder;
  },
};

test('what policies judge is what is read, whatever the path leads to later', async () => {
  for (const [transport, write] of Object.entries(FORMS)) {
    await withTempDir(async (root) => {
      for (const name of ['trusted', 'other']) mkdirSync(join(root, name));
      const path = write(join(root, 'trusted'), fxOci());
      write(join(root, 'other'), fxBoot());
      symlinkSync('trusted', join(root, 'link'));
      const reference = `${transport}:${path.replace('/trusted', '/link')}`;
      const source = await openSource(reference, { platform: { os: 'linux', architecture: 'amd64' } });
      rmSync(join(root, 'link'));
      symlinkSync('other', join(root, 'link'));
      assert.equal(source.identity.scopes[0], path);
      assert.equal((await source.manifest()).digest, fxOci().manifest.descriptor.digest, transport);
      await source.close();
    });
  }
});

test('sources leave nothing open, also where they cannot be opened', async () => {
  await withTempDir(async (root) => {
    for (const [transport, write] of Object.entries(FORMS)) {
      mkdirSync(join(root, transport));
      const path = write(join(root, transport), fxOci());
      const before = readdirSync('/proc/self/fd').length;
      await (await openSource(`${transport}:${path}`)).close();
      await assert.rejects(openSource(`${transport}:${path}x`), { code: 'ENOENT' });
      await assert.rejects(openSource(`oci:${root}`), { code: 'ENOENT' });
      assert.equal(readdirSync('/proc/self/fd').length, before, transport);
    }
  });
});

test('errors name documents by the path that the user gave', async () => {
  await withTempDir(async (root) => {
    for (const [transport, document] of [
      ['oci', 'index.json'],
      ['dir', 'manifest.json'],
    ] as const) {
      const folder = join(root, transport);
      mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
      const messages = async (): Promise<string[]> => {
        const source = await openSource(`${transport}:${folder}`);
        try {
          await source.manifest();
          return [];
        } catch (error) {
          return errorChain(error);
        } finally {
          await source.close();
        }
      };
      const path = join(folder, document);
      const without = await messages();
      assert.equal(without.at(-1), `ENOENT: no such file or directory, open '${path}'`);
      mkdirSync(path);
      const withDirectory = await messages();
      assert.equal(withDirectory.at(-1), `${path} is not a regular file`);
    }
  });
});

test('what is at no path any more has none', async () => {
  await withTempDir(async (root) => {
    const [a, b] = [join(root, 'a'), join(root, 'b')];
    writeFileSync(a, '');
    withFd(a, (fd) => {
      assert.equal(realPathOf(fd), a);
      renameSync(a, b);
      assert.equal(realPathOf(fd), b);
      rmSync(b);
      writeFileSync(b, '');
      assert.throws(() => realPathOf(fd), { code: 'SOURCE_MOVED' });
    });
  });
});
