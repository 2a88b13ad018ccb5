import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as errors from '../../src/error-classes.js';
import { packageRoot } from '../support/paths.js';

const sources = readdirSync(join(packageRoot, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && name !== 'error-codes.ts')
  .map((name) => readFileSync(join(packageRoot, 'src', name), 'utf8'));

test('every code is one that something throws, and stands for one thing', () => {
  const codes = Object.values(errors.ERROR_CODES).flatMap((group) => Object.keys(group));
  assert.equal(new Set(codes).size, codes.length);
  const all = sources.join('\n');
  assert.deepEqual(
    codes.filter((code) => !all.includes(`'${code}'`)),
    [],
  );
});

test('docs/errors.md says what the codes are', () => {
  const made = execFileSync(process.execPath, [join(packageRoot, 'scripts/error-docs.mjs')], { encoding: 'utf8' });
  assert.equal(readFileSync(join(packageRoot, 'docs/errors.md'), 'utf8'), made, 'npm run docs:errors writes it anew');
});

test('every class of error that another module may throw can be imported', () => {
  const declared = sources.flatMap((text) =>
    [...text.matchAll(/^export class (\w+) extends (?:ComposefsError|ContextError)/gm)].map(([, name]) => name ?? ''),
  );
  // Of commands, or caught on the way.
  const internal = ['UsageError', 'InterruptedError', 'WireError', 'FieldError', 'FlatStoreError', 'FileContentError'];
  assert.deepEqual(
    declared.filter((name) => !internal.includes(name) && !(name in errors)),
    [],
  );
});
