import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspectMachine } from '../../src/doctor/index.js';
import { hasAllowOther } from '../../src/doctor/probes/fuse.js';
import { buildImage } from '../support/oci-fixtures.js';
import { withTempDir } from '../support/paths.js';
import { StoreBuilder } from '../support/store-builder.js';
import { tarArchive, tarFile } from '../support/tar-builder.js';

const CHECKS = [
  'node',
  'kernel',
  'resources',
  'koffi',
  'zstd',
  'privileges',
  'repository',
  'fs-verity',
  'reflink',
  'o_tmpfile',
  'erofs',
  'overlayfs',
  'fuse',
  'user-namespaces',
  'subordinate-ids',
  'rootless-overlay',
  'boot',
  'skopeo',
  'containers-storage',
];

test('every check has a finding, and nothing is left behind', async () => {
  await withTempDir(async (directory) => {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    const { ok, findings } = await inspectMachine(join(directory, 'no/such/repository'), { probeTimeout: 30_000 });
    assert.equal(ok, true);
    assert.deepEqual(
      findings.map(({ check }) => check),
      CHECKS,
    );
    const byCheck = new Map(findings.map((finding) => [finding.check, finding]));
    assert.equal(byCheck.get('node')?.state, 'ok');
    assert.equal(byCheck.get('node')?.necessary, true);
    const insecure = byCheck.get('fs-verity')?.state === 'missing' ? ' --insecure' : '';
    assert.deepEqual(byCheck.get('repository'), {
      check: 'repository',
      title: 'Repository',
      necessary: false,
      state: 'missing',
      detail: `there is none at ${directory}/no/such/repository`,
      remedy: `cfsctl --repo ${directory}/no/such/repository init${insecure}`,
    });
    assert.deepEqual(readdirSync(directory), []);
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), mounts);
  });
});

test('the stores of container engines, and how an import of theirs would go', async () => {
  await withTempDir(async (directory) => {
    const builder = new StoreBuilder(join(directory, 'store'), 'vfs');
    const tars = [tarArchive([tarFile('d/empty', ''), tarFile('d/file', 'content')])];
    builder.addImage(buildImage(tars), tars, ['localhost/app:1']);
    const before = process.env['CONTAINERS_STORAGE_CONF'];
    const path = join(directory, 'storage.conf');
    writeFileSync(path, `[storage]\ndriver = "vfs"\ngraphroot = "${builder.root}"\n`);
    process.env['CONTAINERS_STORAGE_CONF'] = path;
    try {
      const { findings } = await inspectMachine(directory, { probeTimeout: 30_000 });
      const { detail, state } = findings.find(({ check }) => check === 'containers-storage') ?? {};
      assert.equal(state, 'ok');
      const [first = ''] = detail?.split('; ') ?? [];
      const ways = 'imported by (?:reflink|hard link \\(no reflink: the file system has none\\))';
      assert.match(first, new RegExp(`^${builder.root} \\(vfs\\): 1 image, ${ways}$`));
    } finally {
      if (before === undefined) delete process.env['CONTAINERS_STORAGE_CONF'];
      else process.env['CONTAINERS_STORAGE_CONF'] = before;
    }
  });
});

test('a probe that hangs, dies or talks nonsense becomes a finding; the others are run', async () => {
  await withTempDir(async (directory) => {
    const probeProcess = join(directory, 'probes.mjs');
    writeFileSync(
      probeProcess,
      `for (const check of process.argv.slice(4)) {
        if (check === 'kernel') await new Promise((resolve) => setTimeout(resolve, 60000));
        if (check === 'koffi') process.kill(process.pid, 'SIGSEGV');
        if (check === 'zstd') process.exit(3);
        if (check === 'erofs') { console.log('{"check":"erofs","outcome":{"state":"great","detail":""}}'); continue; }
        console.log('warning: nonsense');
        console.log(JSON.stringify({ check, outcome: { state: 'ok', detail: 'fine', remedy: 7 } }));
      }`,
    );
    const { ok, findings } = await inspectMachine(directory, { probeProcess, probeTimeout: 5000 });
    assert.equal(ok, true);
    const details = new Map(findings.map(({ check, state, detail }) => [check, `${state}: ${detail}`]));
    assert.equal(details.get('node'), 'ok: fine');
    assert.equal(details.get('kernel'), 'limited: gave no answer within 5 s');
    assert.equal(details.get('koffi'), 'limited: the probe ended early (SIGSEGV)');
    assert.equal(details.get('zstd'), 'limited: the probe ended early (status 3)');
    assert.equal(details.get('erofs'), 'limited: the probe ended early (status 0)');
    assert.equal(details.get('skopeo'), 'ok: fine');
  });
});

test('fuse.conf lets users share their mounts by a line of its own', () => {
  assert.deepEqual(
    [
      '',
      'user_allow_other',
      '# user_allow_other\n',
      'mount_max = 5\n user_allow_other \n',
      'user_allow_other = 1\n',
    ].map(hasAllowOther),
    [false, true, false, true, false],
  );
});
