import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorChain } from '../../src/errors.js';
import { pull } from '../../src/oci/import/pull.js';
import { upgradeRepo } from '../../src/oci/import/upgrade.js';
import { createFilesystem } from '../../src/oci/layer/filesystem.js';
import type { LayerRules } from '../../src/oci/layer/layer-rules.js';
import { OciImage } from '../../src/oci/store/image.js';
import { RecordingReporter } from '../../src/progress.js';
import { cfsctl } from '../support/cfsctl.js';
import { linesOf } from '../support/dumpfiles.js';
import { buildImage } from '../support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile, tarSymlink } from '../support/tar-builder.js';
import { isSound, layoutOf, PULL, repositoryIsClean, tempRepository } from './oci-support.js';

const BASE = tarArchive([tarDirectory('usr'), tarFile('usr/old', ''), tarFile('usr/keep', '')]);
const TOP = tarArchive([tarFile('usr/new', ''), tarFile('usr/.wh.new', ''), tarFile('usr/.wh.old', '')]);
const IMAGE = buildImage([BASE, TOP]);
const WARNING =
  `Layer ${IMAGE.diffIds[1]}, entry "/usr/.wh.new": the whiteout acts on the layers below it only; composefs-rs ` +
  'applies it to its own layer, too. The layer rules `reference` give the tree of composefs-rs';

const ROOT = '/ 0 40755 3 0 0 0 0.0 - - -';
const USR = '/usr 0 40755 2 0 0 0 0.0 - - -';
const fileLine = (path: string): string => `${path} 0 100644 1 0 0 0 0.0 - - -`;
const OCI_TREE = [ROOT, USR, fileLine('/usr/keep'), fileLine('/usr/new')];
const REFERENCE_TREE = [ROOT, USR, fileLine('/usr/keep')];

test('a file system is built by the rules that are asked for, and only `oci` has something to say', async (t) => {
  const repo = await tempRepository(t);
  const { configDigest } = await pull(repo, layoutOf(t, IMAGE), 'a', PULL);
  const build = async (layerRules?: LayerRules): Promise<[string[], unknown[]]> => {
    const progress = new RecordingReporter();
    const root = await createFilesystem(repo, configDigest, { layerRules, progress });
    return [linesOf(root), progress.events];
  };
  const layers = { id: 'layers', total: IMAGE.diffIds.length, unit: 'items' };
  const counted = [
    { type: 'started', ...layers },
    ...IMAGE.diffIds.map((_, i) => ({ type: 'progress', id: 'layers', fetched: i + 1, total: layers.total })),
  ];
  const done = { type: 'done', id: 'layers', transferred: layers.total };
  const warning = { type: 'message', level: 'warning', text: WARNING };
  assert.deepEqual(await build(), [OCI_TREE, [...counted, warning, done]]);
  assert.deepEqual(await build('oci'), [OCI_TREE, [...counted, warning, done]]);
  assert.deepEqual(await build('reference'), [REFERENCE_TREE, [...counted, done]]);
});

test('pulling builds a linked image again only if rules are given', async (t) => {
  const repo = await tempRepository(t);
  const layout = layoutOf(t, IMAGE);
  const pullBy = async (layerRules?: LayerRules): Promise<[string | undefined, string[]]> => {
    const progress = new RecordingReporter();
    const { manifestDigest } = await pull(repo, layout, 'a', { ...PULL, layerRules, progress });
    assert.ok(await isSound(repo));
    const warnings = progress.events.flatMap((event) =>
      event.type === 'message' && event.level === 'warning' ? [event.text] : [],
    );
    return [OciImage.open(repo, manifestDigest).imageRef(repo.erofsVersion), warnings];
  };
  const [byOci, said] = await pullBy();
  assert.deepEqual(said, [WARNING]);
  const [byReference, nothing] = await pullBy('reference');
  assert.deepEqual(nothing, []);
  assert.notEqual(byReference, byOci);
  assert.deepEqual(await pullBy(), [byReference, []]);
  assert.deepEqual(await pullBy('oci'), [byOci, [WARNING]]);
  repo.gc();
  assert.ok(await repositoryIsClean(repo));
});

test('an upgrade builds what is missing by the rules that are asked for', async (t) => {
  const ids = [];
  for (const layerRules of ['oci', 'reference', undefined] as const) {
    const repo = await tempRepository(t);
    repo.setErofsVersion(2);
    await pull(repo, layoutOf(t, IMAGE), 'a', PULL);
    repo.setErofsVersion(1);
    const progress = new RecordingReporter();
    assert.equal((await upgradeRepo(repo, { layerRules, progress })).upgraded, 1);
    assert.equal(progress.events.length, layerRules === 'reference' ? 0 : 1);
    ids.push(OciImage.openRef(repo, 'a').imageRef(1));
  }
  assert.equal(ids[0], ids[2]);
  assert.notEqual(ids[0], ids[1]);
});

test('the command: warnings on standard error however progress is shown, and what would help where it fails', async (t) => {
  const repo = await tempRepository(t);
  const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    cfsctl(['--repo', repo.path, 'oci', ...args]);
  const warning = `warning: ${WARNING}\n`;
  for (const progress of ['auto', 'plain', 'none']) {
    const { status, stderr } = run('pull', '--layer-rules=oci', `--progress=${progress}`, layoutOf(t, IMAGE), 'a');
    assert.equal(status, 0);
    const warnings = stderr.split('\n').filter((line) => line.startsWith('warning'));
    assert.deepEqual(warnings, [warning.trimEnd()]);
  }
  assert.equal(run('pull', '--quiet', '--layer-rules=oci', layoutOf(t, IMAGE), 'a').stderr, warning);
  assert.deepEqual(run('dump', 'a'), { status: 0, stdout: `${OCI_TREE.join('\n')}\n`, stderr: warning });
  assert.deepEqual(run('dump', 'a', '--layer-rules', 'reference'), {
    status: 0,
    stdout: `${REFERENCE_TREE.join('\n')}\n`,
    stderr: '',
  });
  const ids = [[], ['--layer-rules=oci'], ['--layer-rules=reference']].map(
    (args) => run('compute-id', 'a', ...args).stdout,
  );
  assert.equal(ids[0], ids[1]);
  assert.notEqual(ids[0], ids[2]);

  const scratch = buildImage([tarArchive([tarFile('hello', ''), tarSymlink('run', 'tmp')])]);
  assert.equal(run('pull', layoutOf(t, scratch), 'scratch').status, 0);
  assert.equal(
    run('dump', 'scratch').stdout,
    '/ 0 40755 2 0 0 0 0.0 - - -\n/hello 0 100644 1 0 0 0 0.0 - - -\n/run 3 120777 1 0 0 0 0.0 tmp - -\n',
  );
  const refused = run('dump', 'scratch', '--layer-rules=reference');
  assert.equal(refused.status, 1);
  assert.equal(
    refused.stderr,
    'Error: composefs-rs refuses this image\n\nCaused by:\n    Directory entry "usr" does not exist\n\n' +
      'hint: the layer rules `oci`, which are those without --layer-rules, may take this image\n',
  );
});

test('what cannot be applied is named with its layer', async (t) => {
  const repo = await tempRepository(t);
  const image = buildImage([tarArchive([tarFile('f', '')]), tarArchive([tarFile('f/x', '')])]);
  await assert.rejects(pull(repo, layoutOf(t, image), 'a', PULL), (error) => {
    assert.deepEqual(errorChain(error), [
      `Layer ${image.diffIds[1]}`,
      'Processing tar entry',
      'Error unpacking container layer file "/f/x" regular',
      'Directory entry "f" is not a subdirectory',
    ]);
    return true;
  });
});
