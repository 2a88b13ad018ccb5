import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { ObjectId } from '../../src/composefs/fsverity/object-id.js';
import { isFsckOk, Repository } from '../../src/composefs/repository/index.js';
import { errorCode, fullMessage } from '../../src/errors.js';
import { isOciFsckOk, ociFsck } from '../../src/oci/fsck/fsck.js';
import { pull } from '../../src/oci/import/pull.js';
import { layerTar } from '../../src/oci/layer/inspect-layer.js';
import { OciImage } from '../../src/oci/store/image.js';
import { inspectImage, listImages } from '../../src/oci/store/listing.js';
import { CfsctlFixtures } from '../support/cfsctl-fixtures.js';
import { PULL } from './oci-support.js';

/** What stands in the place of a file of a repository: nothing may wait for it, or read it without a bound. */

const IN_THREAD = { threads: 0 };
const HUGE = 2 * 2 ** 30;

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

const KINDS: Readonly<Record<string, (path: string) => void | Promise<void>>> = {
  'a FIFO': (path) => void execFileSync('mkfifo', [path]),
  'a directory': (path) => void mkdirSync(path),
  'a symlink': (path) => symlinkSync('/dev/zero', path),
  'a socket': listen,
  ...(process.getuid?.() === 0 && { 'a device': (path: string) => void execFileSync('mknod', [path, 'c', '1', '5']) }),
  'a file of 2 GiB': makeHuge,
};

function makeHuge(path: string): void {
  writeFileSync(path, '');
  truncateSync(path, HUGE);
}

/** Leaves a socket behind; its path may be longer than the system takes. */
async function listen(path: string): Promise<void> {
  const server = createServer();
  const short = join(fixtures.directory, 's');
  rmSync(short, { force: true });
  await new Promise<void>((resolve) => server.listen(short, resolve));
  execFileSync('cp', ['-a', short, path]);
  await new Promise((resolve) => server.close(resolve));
}

/** The file in each place, from an image that is all right. */
type Place = (repo: Repository, image: OciImage) => string;

const objectPath = (repo: Repository, id: ObjectId | undefined): string => repo.objects.path(id ?? assert.fail());

/** The object that is the content of a stream. */
function contentOf(repo: Repository, stream: ObjectId): string {
  const reader = repo.openStream('', { id: stream });
  try {
    return objectPath(repo, reader.objectRefs[0]);
  } finally {
    reader.close();
  }
}

const PLACES: Readonly<Record<string, Place>> = {
  'a manifest': (repo, image) => contentOf(repo, image.manifestVerity),
  'the stream of a manifest': (repo, image) => objectPath(repo, image.manifestVerity),
  'a config': (repo, image) => contentOf(repo, image.configVerity),
  'the stream of a config': (repo, image) => objectPath(repo, image.configVerity),
  'the stream of a layer': (repo, image) => objectPath(repo, [...image.layerRefs.values()][0]),
  'an image': (repo, image) => objectPath(repo, image.imageRef(2)),
};

/** What may be said of it; a 2 GiB file has another digest. */
const CODES: ReadonlySet<string> = new Set([
  'NOT_A_FILE',
  'UNSAFE_PATH',
  'FILE_TOO_LARGE',
  'DIGEST_MISMATCH',
  'ENXIO',
  'EISDIR',
]);

/** True if it went well; else the error says what is wrong. */
async function attempt(what: string, action: () => unknown): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    const isExpected = CODES.has(errorCode(error)) || /Invalid splitstream header/.test(fullMessage(error));
    assert.ok(isExpected, `${what}: ${fullMessage(error)}`);
    return false;
  }
}

const pulled = fixtures.pulled();
const layout = fixtures.oci();

for (const [kind, make] of Object.entries(KINDS)) {
  describe(kind, () => {
    for (const [place, find] of Object.entries(PLACES)) {
      // In the others it is hashed to its end, which takes its time and no memory.
      if (make === makeHuge && !place.startsWith('the stream')) continue;
      it(`in the place of ${place}`, { timeout: 120_000 }, async () => {
        const path = fixtures.path('repo');
        cpSync(pulled.path, path, { recursive: true, verbatimSymlinks: true });
        await using repo = await Repository.open(path, { insecure: true });
        const image = OciImage.openRef(repo, 'test-image');
        const [diffId] = image.layerDiffIds();
        const file = find(repo, image);
        rmSync(file);
        await make(file);
        const before = process.memoryUsage().rss;

        const warnings: string[] = [];
        await listImages(repo, { onWarning: (text) => warnings.push(text) });
        await attempt('inspect', () => inspectImage(repo, OciImage.openRef(repo, 'test-image')));
        await attempt('layer', () => layerTar(repo, diffId as never).next());
        await attempt('image', () => repo.objectsForImage(image.imageRef(2) ?? ''));
        await attempt('gc --dry-run', () => repo.gc({ ...IN_THREAD, dryRun: true }));
        // It would hash the file to its end.
        if (make !== makeHuge) assert.equal(isFsckOk(await repo.fsck(IN_THREAD)), false, 'fsck finds it');
        assert.equal(isOciFsckOk(await ociFsck(repo)), false, 'oci fsck finds it');
        await attempt('pull', () => pull(repo, `oci:${layout}`, 'again', PULL));
        await attempt('gc', () => repo.gc(IN_THREAD));
        assert.ok(process.memoryUsage().rss - before < 400 * 2 ** 20, 'it is not read into memory');
      });
    }

    it('in the place of meta.json', async () => {
      const path = fixtures.path('repo');
      cpSync(pulled.path, path, { recursive: true, verbatimSymlinks: true });
      rmSync(join(path, 'meta.json'));
      await make(join(path, 'meta.json'));
      assert.equal(await attempt('open', () => Repository.open(path, { insecure: true })), false);
    });
  });
}
