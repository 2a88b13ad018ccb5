import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { composefsErofsDebug } from '../../../src/cli/tools/composefs-erofs-debug.js';
import { mkcomposefs } from '../../../src/cli/tools/mkcomposefs.js';
import { debugImage } from '../../../src/composefs/erofs/debug/debug-image.js';
import { withTempDir } from '../../support/paths.js';
import { failureOf } from './tool-support.js';

const TOOL = new URL('../../../src/cli/composefs-erofs-debug.js', import.meta.url).pathname;

test('composefs-erofs-debug prints an image as the library does, in UTF-8', async () => {
  await withTempDir(async (directory) => {
    const [dump, image] = [join(directory, 'dump'), join(directory, 'image')];
    writeFileSync(dump, '/ 0 40755 2 0 0 0 1.0 - - -\n/größe 0 120777 1 0 0 0 1.0 ziel - -\n');
    await mkcomposefs(['--from-file', dump, image]);
    const text = execFileSync(process.execPath, [TOOL, image]).toString();
    assert.equal(text, debugImage(readFileSync(image)));
    assert.match(text, /^# Filename "\/größe"$/m);
  });
});

test('composefs-erofs-debug: what can be wrong', async () => {
  await withTempDir(async (directory) => {
    const text = join(directory, 'text');
    writeFileSync(text, 'no image');
    const none = join(directory, 'none');
    const cases: [args: string[], text: string][] = [
      [[], 'No image specified\nusage: composefs-erofs-debug IMAGE\n'],
      [[text, text], 'One image only\nusage: composefs-erofs-debug IMAGE\n'],
      [[none], `composefs-erofs-debug: Failed to open '${none}': No such file or directory\n`],
      [[text], `composefs-erofs-debug: Failed to load '${text}': Invalid image: cannot parse header\n`],
    ];
    for (const [args, expected] of cases) assert.equal(await failureOf(composefsErofsDebug, ...args), expected);
  });
});
