import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  inferRepoAlgorithm,
  NotWritableError,
  newMetadata,
  Repository,
  RepositoryOpenError,
  readRepoAlgorithm,
  resetMetadata,
  serializeMetadata,
  systemPath,
  userPath,
} from '../../../src/composefs/repository/index.js';
import { ComposefsError, fullMessage } from '../../../src/errors.js';
import { filesBelow } from '../../support/files-below.js';
import { tempDir, tempRepository, treeOf, writeStream } from './temp-repository.js';

function openError(kind: string, message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof RepositoryOpenError && error.kind === kind && message.test(error.message);
}

describe('Repository.init', () => {
  it('makes a directory for the owner alone, with meta.json and nothing else', async (t) => {
    const path = join(tempDir(t), 'repo');
    const { repo, created } = await Repository.init(path, { insecure: true });
    repo.close();
    assert.equal(created, true);
    assert.equal(statSync(path).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(path), ['meta.json']);
    assert.equal(statSync(join(path, 'meta.json')).mode & 0o777, 0o644);
    assert.equal(readFileSync(join(path, 'meta.json'), 'utf8'), serializeMetadata(newMetadata('sha512')));
    assert.equal(repo.insecure, true);
    assert.equal(repo.erofsVersion, 1);
  });

  it('is content with the same configuration, whatever it says of verity', async (t) => {
    const repo = await tempRepository(t);
    for (const insecure of [true, false]) {
      const again = await Repository.init(repo.path, { algorithm: 'sha512', insecure });
      again.repo.close();
      assert.equal(again.created, false);
      assert.equal(again.repo.insecure, true);
    }
  });

  it('refuses another configuration, naming both', async (t) => {
    const repo = await tempRepository(t);
    const config = { algorithm: 'sha256', insecure: true, erofsFormats: { default: 2, extra: [] } } as const;
    await assert.rejects(Repository.init(repo.path, config), {
      message:
        'repository already initialized with different configuration (algorithm: fsverity-sha512-12, erofs_version: V1); ' +
        'cannot re-initialize with (algorithm: fsverity-sha256-12, erofs_version: V2)',
    });
  });

  it('does not make parents', async (t) => {
    await assert.rejects(Repository.init(join(tempDir(t), 'a/b'), { insecure: true }), { code: 'ENOENT' });
  });

  it('leaves no meta.json where verity is demanded and the file system has none', async (t) => {
    const path = join(tempDir(t), 'repo');
    try {
      (await Repository.init(path)).repo.close();
      t.skip('this file system has fs-verity');
    } catch (error) {
      assert.match(fullMessage(error), /enabling verity on meta\.json/);
      assert.match(
        (error instanceof ComposefsError && error.hint) || '',
        /must be insecure: `cfsctl init --insecure`$/,
      );
      assert.deepEqual(readdirSync(path), []);
    }
  });
});

describe('Repository.open', () => {
  it('makes nothing', async (t) => {
    const repo = await tempRepository(t);
    (await Repository.open(repo.path)).close();
    assert.deepEqual(readdirSync(repo.path), ['meta.json']);
  });

  it('tells a directory without meta.json from an old repository', async (t) => {
    const path = tempDir(t);
    await assert.rejects(Repository.open(path), openError('metadata-missing', /cfsctl init/));
    mkdirSync(join(path, 'objects'));
    await assert.rejects(Repository.open(path), openError('old-format-repository', /old-format repository/));
  });

  it('does not follow a symlink when it looks for objects', async (t) => {
    const path = tempDir(t);
    mkdirSync(join(path, 'elsewhere'));
    symlinkSync('elsewhere', join(path, 'objects'));
    await assert.rejects(Repository.open(path), openError('metadata-missing', /./));
  });

  it('fails for a missing directory and for a file', async (t) => {
    const path = tempDir(t);
    await assert.rejects(Repository.open(join(path, 'no')), { code: 'ENOENT' });
    writeFileSync(join(path, 'file'), '');
    await assert.rejects(Repository.open(join(path, 'file')), { code: 'ENOTDIR' });
  });

  it('checks what meta.json says', async (t) => {
    const repo = await tempRepository(t);
    await assert.rejects(
      Repository.open(repo.path, { algorithm: 'sha256' }),
      openError('algorithm-mismatch', /sha256/),
    );
    const file = join(repo.path, 'meta.json');
    unlinkSync(file);
    writeFileSync(file, '{"version":7,"algorithm":"fsverity-sha512-12"}');
    await assert.rejects(Repository.open(repo.path), openError('unsupported-version', /7/));
    writeFileSync(file, '{');
    await assert.rejects(Repository.open(repo.path), openError('metadata-invalid', /failed to parse meta\.json/));
  });

  it('refuses to write a repository with unknown read-only features, and reads it', async (t) => {
    const repo = await tempRepository(t);
    const id = repo.objects.ensureObject(Buffer.from('hello'));
    writeFileSync(
      join(repo.path, 'meta.json'),
      '{"version":1,"algorithm":"fsverity-sha512-12","features":{"read-only-compatible":["new_thing"]}}',
    );
    const readOnly = await Repository.open(repo.path);
    t.after(() => readOnly.close());
    assert.equal(readOnly.objects.readObject(id).toString(), 'hello');
    const message = 'repository is read-only: unknown read-only-compatible features ["new_thing"]';
    const refused = { name: NotWritableError.name, message };
    assert.throws(() => readOnly.objects.ensureObject(Buffer.from('x')), refused);
    assert.throws(() => readOnly.objects.createWriter(), refused);
    assert.throws(() => readOnly.createStream(1n), refused);
    assert.throws(() => readOnly.nameStream('a', 'b'), refused);
    await assert.rejects(readOnly.registerStream(id, 'a'), refused);
    await assert.rejects(readOnly.writeImage(Buffer.from('x'), 'b'), refused);
    await assert.rejects(readOnly.registerImage(id), refused);
    assert.throws(() => readOnly.symlink('streams/refs/x', 'streams/y'), refused);
    await assert.rejects(readOnly.gc(), refused);
    assert.equal((await readOnly.gc({ dryRun: true, threads: 0 })).objectsRemoved, 1);
  });

  it('can be made insecure, and then does not pass as secure', async (t) => {
    const repo = await tempRepository(t);
    repo.setInsecure();
    assert.throws(() => repo.requireVerity(), /repository was not initialized with fs-verity/);
    const forced = await Repository.open(repo.path, { insecure: true });
    assert.equal(forced.insecure, true);
    forced.close();
    forced.close();
  });

  it('overrides the image format for one instance only', async (t) => {
    const repo = await tempRepository(t, { erofsFormats: { default: 1, extra: [2] } });
    assert.deepEqual(repo.formatConfig(), { default: 1, extra: [2] });
    repo.setErofsVersion(0);
    assert.deepEqual(repo.formatConfig(), { default: 0, extra: [] });
    assert.equal(repo.erofsVersion, 0);
    assert.deepEqual(JSON.parse(readFileSync(join(repo.path, 'meta.json'), 'utf8')).erofs_formats.extra, [2]);
  });
});

/** A repository as it was before meta.json. */
async function oldRepository(t: Parameters<typeof tempRepository>[0], algorithm: 'sha256' | 'sha512'): Promise<string> {
  const repo = await tempRepository(t, { algorithm });
  const id = repo.objects.ensureObject(Buffer.alloc(100, 1));
  await writeStream(repo, 'a-stream', { objects: [id], ref: 'kept' });
  await repo.commitImage(treeOf({ id, size: 100 }), 'kept');
  unlinkSync(join(repo.path, 'meta.json'));
  repo.close();
  return repo.path;
}

describe('Repository.openUpgrade', () => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    it(`gives an old ${algorithm} repository its meta.json, once`, async (t) => {
      const path = await oldRepository(t, algorithm);
      const before = filesBelow(path);
      assert.equal(inferRepoAlgorithm(path), algorithm);
      const first = await Repository.openUpgrade(path);
      first.repo.close();
      assert.equal(first.upgraded, true);
      assert.equal(first.repo.algorithm, algorithm);
      assert.equal(readFileSync(join(path, 'meta.json'), 'utf8'), serializeMetadata(newMetadata(algorithm)));
      assert.deepEqual(filesBelow(path), [...before, 'meta.json'].sort());
      const second = await Repository.openUpgrade(path, { algorithm });
      second.repo.close();
      assert.equal(second.upgraded, false);
      assert.equal(second.repo.algorithm, algorithm);
    });
  }

  it('refuses objects of another algorithm', async (t) => {
    const path = await oldRepository(t, 'sha256');
    const message = /inferred algorithm fsverity-sha256-12 is not compatible with this repository type/;
    await assert.rejects(Repository.openUpgrade(path, { algorithm: 'sha512' }), message);
    assert.equal(existsSync(join(path, 'meta.json')), false);
  });

  it('cannot tell without objects', async (t) => {
    const path = tempDir(t);
    mkdirSync(join(path, 'objects/ab'), { recursive: true });
    mkdirSync(join(path, 'objects/abc'));
    writeFileSync(join(path, 'objects/ab/short'), '');
    writeFileSync(join(path, `objects/abc/${'0'.repeat(62)}`), '');
    await assert.rejects(
      Repository.openUpgrade(path),
      /^ComposefsError: no objects found in repository — cannot infer metadata$/,
    );
    rmSync(join(path, 'objects'), { recursive: true });
    assert.throws(() => inferRepoAlgorithm(path), /opening objects\/ directory/);
    await assert.rejects(Repository.openUpgrade(path), openError('metadata-missing', /./));
  });
});

describe('Repository.ensure', () => {
  it('creates, opens and upgrades', async (t) => {
    const path = join(tempDir(t), 'repo');
    const created = await Repository.ensure(path, { algorithm: 'sha512', insecure: true });
    created.repo.close();
    assert.equal(created.status, 'created');
    const opened = await Repository.ensure(path, {
      algorithm: 'sha512',
      erofsFormats: { default: 2, extra: [] },
    });
    opened.repo.close();
    assert.equal(opened.status, 'opened');
    assert.equal(opened.repo.erofsVersion, 1);
    const upgraded = await Repository.ensure(await oldRepository(t, 'sha512'), { algorithm: 'sha512' });
    upgraded.repo.close();
    assert.equal(upgraded.status, 'upgraded');
  });

  it('still refuses another algorithm', async (t) => {
    const repo = await tempRepository(t);
    await assert.rejects(
      Repository.ensure(repo.path, { algorithm: 'sha256', insecure: true }),
      openError('algorithm-mismatch', /sha512/),
    );
  });
});

describe('around a repository', () => {
  it('readRepoAlgorithm reads meta.json, and misses it without an error', async (t) => {
    const repo = await tempRepository(t);
    assert.equal(readRepoAlgorithm(repo.path), 'sha512');
    renameSync(join(repo.path, 'meta.json'), join(repo.path, 'other'));
    assert.equal(readRepoAlgorithm(repo.path), undefined);
    assert.throws(() => readRepoAlgorithm(join(repo.path, 'no')), { code: 'ENOENT' });
  });

  it('resetMetadata keeps the objects alone', async (t) => {
    const repo = await tempRepository(t);
    const id = repo.objects.ensureObject(Buffer.from('kept'));
    await writeStream(repo, 'stream', { objects: [id], ref: 'a/b' });
    await repo.commitImage(treeOf({ id, size: 4 }), 'name');
    repo.close();
    resetMetadata(repo.path);
    assert.deepEqual(readdirSync(repo.path), ['objects']);
    resetMetadata(repo.path);
  });

  it('knows where repositories are by default', (t) => {
    const environment: { HOME?: string | undefined } = process.env;
    const { HOME: home } = environment;
    t.after(() => {
      environment.HOME = home;
    });
    environment.HOME = '/home/somebody';
    assert.equal(userPath(), '/home/somebody/.var/lib/composefs');
    delete environment.HOME;
    assert.throws(() => userPath(), /\$HOME must be set when in user mode/);
    assert.equal(systemPath(), '/sysroot/composefs');
  });
});
