import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { withReadableRepository } from '../../../src/cli/context/open-repository.js';
import { Output } from '../../../src/cli/terminal/output.js';
import { Repository } from '../../../src/composefs/index.js';
import { ComposefsError, fullMessage } from '../../../src/errors.js';
import { nobodyIn } from '../../fuse/fuse-support.js';
import { CFSCTL } from '../../support/cfsctl.js';
import { packageRoot } from '../../support/paths.js';

const NOBODY = 65534;
const skip = process.geteuid?.() === 0 ? false : 'needs root, to become somebody else';

/** Message and hint of what opening a repository ends with for an ordinary user. */
async function refusal(open: () => Promise<unknown>): Promise<[message: string, hint: string | undefined]> {
  process.seteuid?.(NOBODY);
  try {
    await open();
  } catch (error) {
    assert.ok(error instanceof ComposefsError);
    return [fullMessage(error), error.hint];
  } finally {
    process.seteuid?.(0);
  }
  return assert.fail('it was opened');
}

test('who may not enter a repository is told whose it is', { skip }, async (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'composefs-oci-test-open-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'closed'), { mode: 0o700 });
  const repo = join(folder, 'closed', 'repo');
  (await Repository.init(repo, { algorithm: 'sha256', insecure: true })).repo.close();
  const context = { globals: { repo }, output: new Output(new PassThrough()) };
  const open = (): Promise<unknown> => withReadableRepository(context, () => undefined);
  const hint = (place: string): string =>
    `${place} belongs to root: run the command as that user, or name another repository with --repo or --user`;
  assert.deepEqual(await refusal(open), [
    `opening repository ${repo}: EACCES: permission denied, open '${repo}'`,
    hint(join(folder, 'closed')),
  ]);
  chmodSync(join(folder, 'closed'), 0o755);
  assert.deepEqual(await refusal(open), [
    `opening repository ${repo}: EACCES: permission denied, open '${repo}'`,
    hint(repo),
  ]);
});

const nobodyFolder = mkdtempSync(join(tmpdir(), 'composefs-oci-test-nobody-'));
after(() => rmSync(nobodyFolder, { recursive: true, force: true }));
chmodSync(nobodyFolder, 0o755);
const nobody = skip === false ? nobodyIn(nobodyFolder) : undefined;

test('who may only read a repository is told who may write', {
  skip: nobody === undefined && 'needs FUSE',
}, async () => {
  assert.ok(nobody !== undefined);
  const path = join(nobodyFolder, 'repo');
  (await Repository.init(path, { algorithm: 'sha256', insecure: true })).repo.close();
  chmodSync(path, 0o755);
  const [program = '', ...before] = nobody.command;
  const command = CFSCTL.replace(packageRoot, nobody.packageRoot);
  const args = [...before, process.execPath, command, '--repo', path, 'oci', 'untag', 'app'];
  const { stderr } = spawnSync(program, args, { encoding: 'utf8' });
  assert.deepEqual(stderr.split('\n'), [
    'Error: Repository is not writable',
    '',
    'Caused by:',
    `    EACCES: permission denied, access '${path}'`,
    '',
    `hint: ${path} belongs to root: run the command as that user`,
    '',
  ]);
});
