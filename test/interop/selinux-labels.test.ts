import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { selabelFromDir, XATTR_SECURITY_SELINUX } from '../../src/boot/selinux/label-tree.js';
import { parseSelinuxConfig } from '../../src/boot/selinux/policy-text.js';
import { type ByteString, byteStringToBuffer } from '../../src/bytes/byte-string.js';
import { readDirectory } from '../../src/composefs/scan/read-directory.js';
import { Directory, type Inode } from '../../src/composefs/tree/inode.js';
import { findInPath, runProgram } from '../support/programs.js';

/** `COMPOSEFS_TEST_BOOT_ROOT` names a root with a real policy; matchpathcon is a program of libselinux. */
const { COMPOSEFS_TEST_BOOT_ROOT: ROOT } = process.env;

const matchpathcon = findInPath('matchpathcon');
const skip =
  ROOT === undefined
    ? 'COMPOSEFS_TEST_BOOT_ROOT names no root'
    : matchpathcon === undefined
      ? 'matchpathcon is not installed'
      : false;

const MODES = {
  regular: 'file',
  symlink: 'lnk_file',
  fifo: 'pipe',
  socket: 'sock_file',
  'block-device': 'blk_file',
  'character-device': 'chr_file',
};
/** As many as one command line takes. */
const CHUNK = 500;

test('the labels of a real root are those of libselinux', { skip }, async (context) => {
  const rootPath = ROOT ?? '';
  const root = await readDirectory(rootPath, { destination: { kind: 'none', algorithm: 'sha256' } });
  assert.equal(selabelFromDir(root, rootPath), true);
  const policy = parseSelinuxConfig(readFileSync(join(rootPath, 'etc/selinux/config'))) ?? '';
  const contexts = join(rootPath, 'etc/selinux', policy, 'contexts/files/file_contexts');
  let paths = 0;
  for (const [mode, labels] of labelsByMode(root)) {
    for (let start = 0; start < labels.length; start += CHUNK) {
      const chunk = labels.slice(start, start + CHUNK);
      const names = chunk.map(({ path }) => byteStringToBuffer(path).toString());
      const output = runProgram(matchpathcon ?? '', ['-n', '-N', '-m', mode, '-f', contexts, ...names]);
      const expected = output.toString().trimEnd().split('\n');
      assert.deepEqual(
        chunk.map(({ path, label }) => `${path} ${label ?? '<<none>>'}`),
        chunk.map(({ path }, index) => `${path} ${expected[index]}`),
      );
      paths += chunk.length;
    }
  }
  context.diagnostic(`${paths} paths`);
  assert.ok(paths > 1000);
});

function labelsByMode(root: Directory): Map<string, { path: ByteString; label: ByteString | undefined }[]> {
  const labels = new Map<string, { path: ByteString; label: ByteString | undefined }[]>();
  const add = (path: ByteString, inode: Inode) => {
    const mode = inode instanceof Directory ? 'dir' : MODES[inode.content.type];
    const entry = { path, label: inode.stat.xattrs.get(XATTR_SECURITY_SELINUX) };
    const known = labels.get(mode);
    if (known === undefined) labels.set(mode, [entry]);
    else known.push(entry);
  };
  const walk = (directory: Directory, path: string) => {
    add((path === '' ? '/' : path) as ByteString, directory);
    for (const [name, inode] of directory.entries()) {
      const child = `${path}/${name}` as ByteString;
      if (inode instanceof Directory) walk(inode, child);
      else add(child, inode);
    }
  };
  walk(root, '');
  return labels;
}
