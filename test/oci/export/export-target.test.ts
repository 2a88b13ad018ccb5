import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseExportTarget } from '../../../src/oci/export/export-target.js';
import { failsWith, tempDir } from '../oci-support.js';

test('targets are those of containers/image, and a tar', () => {
  const cases: [string, object][] = [
    ['oci:a', { transport: 'oci', path: 'a' }],
    ['oci:./a/b:v1', { transport: 'oci', path: './a/b', tag: 'v1' }],
    ['oci:/a:b/c', { transport: 'oci', path: '/a:b/c' }],
    ['oci-archive:a.tar', { transport: 'oci-archive', path: 'a.tar' }],
    ['oci-archive:a.tar:docker.io/x:1', { transport: 'oci-archive', path: 'a.tar', tag: 'docker.io/x:1' }],
    ['docker-archive:-:app:v1', { transport: 'docker-archive', path: '-', tag: 'app:v1' }],
    ['dir:a:b', { transport: 'dir', path: 'a:b' }],
    ['tar:a:b', { transport: 'tar', path: 'a:b' }],
    ['tar:-', { transport: 'tar', path: '-' }],
  ];
  for (const [text, target] of cases) assert.deepEqual(parseExportTarget(text), target, text);
});

test('a path with a colon that is there is one', (context) => {
  const directory = join(tempDir(context), 'a:b');
  mkdirSync(directory);
  assert.deepEqual(parseExportTarget(`oci:${directory}`), { transport: 'oci', path: directory });
  assert.deepEqual(parseExportTarget(`oci:${directory}:v1`), { transport: 'oci', path: directory, tag: 'v1' });
});

test('what is no target is refused', () => {
  const hint = /nothing that an image can be exported to/;
  for (const text of ['', 'a', 'docker://x/y', 'containers-storage:x', 'OCI:a']) {
    assert.throws(() => parseExportTarget(text), failsWith('INVALID_IMAGE_REFERENCE', hint), text);
  }
  for (const text of ['oci:', 'tar:', 'oci:a:', 'oci::v1', 'docker-archive:a:', 'dir:']) {
    assert.throws(() => parseExportTarget(text), failsWith('INVALID_IMAGE_REFERENCE', 'empty name'), text);
  }
  for (const text of ['oci:-', 'oci:-:v1', 'dir:-']) {
    assert.throws(() => parseExportTarget(text), failsWith('INVALID_IMAGE_REFERENCE', 'standard output'), text);
  }
  assert.throws(() => parseExportTarget('docker-archive:a:App:v1'), failsWith('INVALID_IMAGE_REFERENCE', 'lower case'));
  assert.throws(() => parseExportTarget('oci:a:-'), failsWith('INVALID_REF_NAME'));
});
