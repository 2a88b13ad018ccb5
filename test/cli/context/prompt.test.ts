import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestRegistry } from '../../../src/testing/index.js';
import { CFSCTL } from '../../support/cfsctl.js';
import { tempDir } from '../../support/paths.js';
import { without } from '../../support/servers.js';

test('oci login on a terminal asks, and does not show the password', { skip: without('script') }, async (context) => {
  const directory = tempDir(context);
  await using registry = await TestRegistry.start({ auth: { type: 'basic', users: { ann: 'secret' } } });
  const authFile = join(directory, 'auth.json');
  const command = `'${process.execPath}' '${CFSCTL}' oci login --tls-verify=false --authfile '${authFile}' ${registry.host}`;
  // A terminal of its own.
  const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = new Map([
    ['Username: ', 'ann\r'],
    ['Password: ', 'secret\r'],
  ]);
  let shown = '';
  child.stdout.on('data', (chunk) => {
    shown += chunk;
    for (const [question, answer] of answers) {
      if (!shown.includes(question)) continue;
      answers.delete(question);
      child.stdin.write(answer);
    }
  });
  assert.deepEqual(await once(child, 'close'), [0, null], shown);
  assert.match(shown, /Username: .*ann/s);
  assert.match(shown, /Login Succeeded!/);
  assert.doesNotMatch(shown, /secret/);
  const { auths } = JSON.parse(readFileSync(authFile, 'utf8'));
  assert.deepEqual(auths, { [registry.host]: { auth: Buffer.from('ann:secret').toString('base64') } });
});
