import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { sha256ContentDigest } from '../../src/index.js';
import { dataLayerTar, fxLarge, LayoutBuilder } from '../support/oci-fixtures.js';
import { Random } from '../support/random.js';
import { BlockLog, encodeRecord, RECORD_FLUSH, RECORD_MARK, RECORD_WRITE } from './block-log.js';
import { mustRun, runCommand } from './command.js';
import { CALL_KINDS, CHANGES, faultEnvironment } from './fault-plan.js';
import { ageLeftovers, difference, snapshot, strays } from './repository-state.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'composefs-oci-test-')));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('the log of a block device', () => {
  const write = (offset: number, text: string): Buffer =>
    Buffer.concat([encodeRecord({ type: RECORD_WRITE, offset, size: text.length }), Buffer.from(text)]);
  const flush = encodeRecord({ type: RECORD_FLUSH, offset: 0, size: 0 });
  const mark = (number: number): Buffer => encodeRecord({ type: RECORD_MARK, offset: number, size: 0 });
  const path = join(folder, 'log');
  const records = [write(0, 'xx'), mark(0), write(1, 'ab'), flush, write(4, 'cd'), mark(1), write(0, 'e'), flush];
  writeFileSync(path, Buffer.concat(records));
  const log = new BlockLog(path);
  const replayed = (cut: number, loss: 'nothing lost' | 'all lost'): string => {
    const disk = join(folder, 'disk');
    writeFileSync(disk, '......');
    log.replay(disk, cut, loss, new Random(1));
    return readFileSync(disk, 'latin1');
  };

  it('has a place for each cut', () => {
    assert.deepEqual([log.length, log.start], [8, 1]);
    assert.deepEqual(
      [2, 5, 6, 8].map((cut) => log.markBefore(cut)),
      [0, 0, 1, 1],
    );
  });

  it('keeps what was flushed, and of the rest as much as is wanted', () => {
    assert.equal(replayed(3, 'nothing lost'), 'xab...');
    assert.equal(replayed(3, 'all lost'), '......');
    assert.equal(replayed(6, 'nothing lost'), 'xab.cd');
    assert.equal(replayed(6, 'all lost'), 'xab...');
    assert.equal(replayed(8, 'all lost'), 'eab.cd');
  });
});

describe('faults at system calls', () => {
  const layout = new LayoutBuilder().addImage(fxLarge(), { tag: 'latest' }).write(join(folder, 'layout'));
  const repository = join(folder, 'repository');
  const pull = { args: ['oci', 'pull', '--quiet', `oci:${layout}:latest`, 'a'] };
  const tar = join(folder, 'layer.tar');
  writeFileSync(tar, dataLayerTar(100_000));
  const digest = sha256ContentDigest(dataLayerTar(100_000));
  /** In one thread: of several, another may do what one cannot. */
  const importLayer = { args: ['oci', 'import-layer', digest, 'layer'], input: tar };
  const fresh = async (): Promise<void> => {
    rmSync(repository, { recursive: true, force: true });
    await mustRun(repository, { args: ['init', '--insecure'] });
  };

  it('are counted in all threads, through node:fs and the C library', async () => {
    await fresh();
    const report = join(folder, 'report.json');
    const plan = { folder: repository, kinds: CALL_KINDS, n: 0, action: 'count', report } as const;
    await mustRun(repository, pull, { env: faultEnvironment(plan) });
    const counts = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
    // Five files, the layer's stream, config and manifest in two versions each with their streams, an image.
    const objects = [...snapshot(repository).keys()].filter((name) => name.startsWith('objects/')).length;
    assert.ok((counts['link'] ?? 0) >= objects, `${counts['link']} of ${objects} objects`);
    for (const kind of ['open', 'write', 'symlink', 'mkdir', 'sync', 'lock'] as const)
      assert.ok((counts[kind] ?? 0) > 0, kind);
  });

  it('kill', async () => {
    await fresh();
    const plan = { folder: repository, kinds: CHANGES, n: 5, action: 'kill' } as const;
    const { signal, status } = await runCommand(repository, pull, { env: faultEnvironment(plan) });
    assert.deepEqual([signal, status], ['SIGKILL', null]);
  });

  for (const [kind, action] of [
    ['open', 'EMFILE'],
    ['write', 'ENOSPC'],
    ['link', 'EIO'],
    ['symlink', 'EDQUOT'],
    ['sync', 'EIO'],
  ] as const) {
    it(`${action} at ${kind}`, async () => {
      await fresh();
      const env = faultEnvironment({ folder: repository, kinds: [kind], n: 1, action });
      const { status, stderr } = await runCommand(repository, importLayer, { env });
      assert.equal(status, 1, stderr);
      assert.match(stderr, /E(?:MFILE|NOSPC|IO|DQUOT)|os error (?:5|24|28|122)/);
    });
  }
});

describe('the state of a repository', () => {
  it('tells what is missing, what is more and what is other', () => {
    const [one, two] = [
      new Map([['a', '1']]),
      new Map([
        ['a', '2'],
        ['b', '1'],
      ]),
    ];
    assert.equal(difference(one, one), undefined);
    assert.equal(difference(one, two), 'lacks: 1 (b); has other: 1 (a)');
    assert.equal(difference(two, one), 'has more: 1 (b); has other: 1 (a)');
  });

  it('knows what belongs to nothing', () => {
    const state = new Map(
      ['meta.json', `objects/ab/${'0'.repeat(126)}`, 'streams/refs/oci/a', '.symlink-abc', 'x'].map((name) => [
        name,
        '',
      ]),
    );
    assert.deepEqual(strays(state), ['.symlink-abc', 'x']);
    assert.deepEqual(strays(state, { wasKilled: true }), ['x']);
  });

  it('ages what gc is to remove', async () => {
    const path = join(folder, 'aged');
    await mustRun(path, { args: ['init', '--insecure'] });
    mkdirSync(join(path, 'objects'), { recursive: true });
    writeFileSync(join(path, 'objects', '.tmp-object-abc'), '');
    await mustRun(path, { args: ['gc'] });
    assert.deepEqual(strays(snapshot(path)), ['objects/.tmp-object-abc']);
    ageLeftovers(path);
    await mustRun(path, { args: ['gc'] });
    assert.deepEqual(strays(snapshot(path)), []);
  });
});
