import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEFAULT_CONFIG, parseSetupRootConfig, readSetupRootConfig } from '../../../src/boot/setup-root/config.js';
import { messageOf } from '../../support/failures.js';
import { withTempDir } from '../../support/paths.js';

// Spec 50 §13.1.
test('what is not said stays as it is', () => {
  assert.deepEqual(DEFAULT_CONFIG, { etc: 'overlay', var: 'bind', transientRoot: false });
  for (const text of [
    '',
    '[etc]\n[var]\n[root]\n',
    'unknown = 1\n[etc]\nother = "x"\n',
    '[var]\ntransient = false\n',
  ]) {
    assert.deepEqual(parseSetupRootConfig(text), DEFAULT_CONFIG);
  }
});

test('the kind of mount is said, or that it is transient', () => {
  for (const mount of ['none', 'bind', 'overlay', 'transient'] as const) {
    assert.equal(parseSetupRootConfig(`[etc]\nmount = "${mount}"\ntransient = true`).etc, mount);
    assert.equal(parseSetupRootConfig(`var.mount = "${mount}"`).var, mount);
  }
  assert.deepEqual(parseSetupRootConfig('[etc]\ntransient = true\n[var]\ntransient = true\n[root]\ntransient = true'), {
    etc: 'transient',
    var: 'transient',
    transientRoot: true,
  });
});

test('what is wrong is named', () => {
  const wrong = (text: string) => messageOf(() => parseSetupRootConfig(text));
  assert.equal(wrong('[etc]\nmount = "loop"'), 'etc.mount must be one of none, bind, overlay, transient');
  assert.equal(wrong('[var]\ntransient = "yes"'), 'var.transient must be true or false');
  assert.equal(wrong('etc = 1'), 'etc must be a table');
  assert.equal(wrong('root = true'), 'root must be a table');
  assert.equal(wrong('[etc'), 'line 1, column 2: Invalid TOML document: incomplete key-value: cannot find end of key');
});

test('a file that is missing leaves the defaults; one that is wrong is named', () =>
  withTempDir((dir) => {
    const path = join(dir, 'conf');
    assert.deepEqual(readSetupRootConfig(path), DEFAULT_CONFIG);
    writeFileSync(path, '[root]\ntransient = true\n');
    assert.equal(readSetupRootConfig(path).transientRoot, true);
    writeFileSync(path, Buffer.from([0xff]));
    assert.equal(
      messageOf(() => readSetupRootConfig(path)),
      `Reading ${path}: it is not UTF-8`,
    );
    writeFileSync(path, 'a');
    assert.match(
      messageOf(() => readSetupRootConfig(path)),
      new RegExp(`^Reading ${path}: line 1, column 1: Invalid TOML document: [^\n]+$`),
    );
    mkdirSync(join(dir, 'directory'));
    assert.match(
      messageOf(() => readSetupRootConfig(join(dir, 'directory'))),
      /EISDIR/,
    );
  }));
