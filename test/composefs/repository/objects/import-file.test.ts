import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { computeVerity } from '../../../../src/composefs/fsverity/index.js';
import { ImportContext, type ImportOptions, Repository } from '../../../../src/composefs/repository/index.js';
import { isPrivateDirectory, linkRefusal } from '../../../../src/composefs/repository/objects/link-rules.js';
import type { StoredObject } from '../../../../src/composefs/repository/objects/stored-object.js';
import { fullMessage } from '../../../../src/errors.js';
import { withTempDir } from '../../../support/paths.js';

const CONTENT = Buffer.alloc(5000, 'x');
const isRoot = process.geteuid?.() === 0;
const skip = !isRoot && 'needs root';

interface Setup {
  readonly mode?: number;
  readonly owner?: number;
  /** Whether others can enter the directory of the repository. */
  readonly isPublic?: boolean;
  readonly content?: Buffer;
}

/** Imports a file into a new repository. */
async function importOne(setup: Setup, options: ImportOptions, known = CONTENT): Promise<StoredObject> {
  return await withTempDir(async (dir) => {
    if (setup.isPublic === true) chmodSync(dir, 0o755);
    const path = join(dir, 'file');
    writeFileSync(path, setup.content ?? CONTENT);
    if (setup.owner !== undefined) chownSync(path, setup.owner, setup.owner);
    chmodSync(path, setup.mode ?? 0o644);
    const { repo } = await Repository.init(join(dir, 'repo'), { insecure: true, algorithm: 'sha256' });
    if (setup.isPublic === true) chmodSync(repo.path, 0o755);
    const fd = openSync(path, 'r');
    try {
      const before = fstatSync(fd, { bigint: true });
      const content = { id: computeVerity('sha256', known), data: known, before };
      const stored = repo.objects.ensureObjectFromFile(fd, known.length, new ImportContext(options), content);
      assert.equal(stored.id, content.id);
      assert.deepEqual(readFileSync(repo.objects.path(stored.id)), known);
      const isSame = statSync(repo.objects.path(stored.id)).ino === statSync(path).ino;
      assert.equal(isSame, stored.method === 'hardlinked');
      return stored;
    } finally {
      closeSync(fd);
      repo.close();
    }
  });
}

/** What is stored without blocks of its own is so by either way. */
function methodOf({ method }: StoredObject): string {
  return method === 'reflinked' ? 'hardlinked' : method;
}

test('files are linked where nobody gets more than he had, else copied', { skip }, async () => {
  const cases: readonly [setup: Setup, method: string][] = [
    [{}, 'hardlinked'],
    [{ mode: 0o600 }, 'hardlinked'],
    [{ mode: 0o4755 }, 'hardlinked'],
    [{ owner: 1234 }, 'hardlinked'],
    [{ isPublic: true }, 'hardlinked'],
    [{ isPublic: true, mode: 0o600 }, 'hardlinked'],
    [{ isPublic: true, mode: 0o4755 }, 'copied'],
    [{ isPublic: true, mode: 0o2755 }, 'copied'],
    [{ isPublic: true, mode: 0o666 }, 'copied'],
    [{ isPublic: true, mode: 0o664 }, 'copied'],
    [{ isPublic: true, owner: 1234 }, 'copied'],
  ];
  for (const [setup, method] of cases) {
    assert.equal(methodOf(await importOne(setup, {})), method, JSON.stringify(setup));
  }
  assert.equal(methodOf(await importOne({}, { mayChange: true })), 'copied');
});

test('without copies a refusal is an error that says why', { skip }, async () => {
  assert.equal(methodOf(await importOne({}, { zeroCopy: true })), 'hardlinked');
  for (const [setup, why] of [
    [{ isPublic: true, mode: 0o4755 }, 'its set-id bit would take effect for all who get to the objects'],
    [{ isPublic: true, owner: 1234 }, 'user 1234, who owns it, could change the object'],
    [{ isPublic: true, mode: 0o666 }, 'others than its owner could change the object'],
  ] as const) {
    await assert.rejects(importOne(setup, { zeroCopy: true }), (error) => {
      assert.equal(
        fullMessage(error),
        `reflink and hardlink both failed; copy fallback is disabled (zerocopy mode): a hard link is refused: ${why}`,
      );
      return true;
    });
  }
});

test('a file whose content is not what the caller has read', { skip }, async () => {
  const other = Buffer.alloc(5000, 'y');
  // Linked as it is where the caller is trusted: it says what the content is, and fs-verity where there is any.
  const stored = importOne({ content: other }, { mayChange: true });
  // Copied: it is what the caller has read that is stored.
  assert.equal((await stored).method, 'copied');
});

test('directories that nobody else enters', { skip }, () => {
  withTempDir((dir) => {
    mkdirSync(join(dir, 'a', 'b'), { recursive: true });
    const path = join(dir, 'a', 'b');
    assert.equal(isPrivateDirectory(path, 0), true);
    chmodSync(dir, 0o755);
    assert.equal(isPrivateDirectory(path, 0), false);
    chmodSync(dir, 0o710);
    assert.equal(isPrivateDirectory(path, 0), false);
    chmodSync(join(dir, 'a'), 0o700);
    assert.equal(isPrivateDirectory(path, 0), true);
    // Its owner may open it to others.
    chownSync(join(dir, 'a'), 1234, 1234);
    assert.equal(isPrivateDirectory(path, 0), false);
    assert.equal(isPrivateDirectory(path, 1234), true);
  });
});

test('a user links what is his own and what he can read', () => {
  withTempDir((dir) => {
    const fd = openSync(dir, 'r');
    const refusal = (uid: number, mode: number): string | undefined =>
      linkRefusal({
        fd,
        stat: { uid, mode },
        linker: { uid: 0, isRoot: false },
        isPrivate: true,
        isImmutable: true,
      });
    assert.equal(refusal(0, 0o644), undefined);
    assert.equal(refusal(0, 0o200), 'who owns the objects could not read it');
    assert.equal(refusal(5, 0o644), 'who owns the objects could not read it');
    closeSync(fd);
  });
});
