import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { receiveMessage, socketPair } from '../../src/linux/fd-passing.js';
import { withTempDir } from '../support/paths.js';
import { findInPath } from '../support/programs.js';

const skip = findInPath('python3') === undefined ? 'python3 is not installed' : false;

const SEND = `
import array, os, socket, sys
sock = socket.socket(fileno=3)
fds = [os.open(path, os.O_RDONLY) for path in sys.argv[2:]]
sock.sendmsg([sys.argv[1].encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else [])
`;

function send(socketFd: number, text: string, paths: readonly string[]): void {
  const { status, stderr } = spawnSync('python3', ['-c', SEND, text, ...paths], {
    stdio: ['ignore', 'ignore', 'pipe', socketFd],
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
}

function withPair(type: 'stream' | 'seqpacket', action: (ours: number, theirs: number) => void): void {
  const [ours, theirs] = socketPair(type);
  try {
    action(ours, theirs);
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
}

test('a message comes with its descriptors, which are not inherited', { skip }, () => {
  withTempDir((directory) => {
    const paths = ['first', 'second'].map((name) => join(directory, name));
    for (const path of paths) writeFileSync(path, `content of ${path}`);
    withPair('seqpacket', (ours, theirs) => {
      send(theirs, 'two', paths);
      send(theirs, 'none', []);
      const buffer = Buffer.alloc(16);
      const { size, fds } = receiveMessage(ours, buffer);
      assert.equal(buffer.toString('latin1', 0, size), 'two');
      assert.equal(fds.length, 2);
      for (const [index, fd] of fds.entries()) {
        assert.equal(fstatSync(fd).ino, statSync(paths[index] ?? '').ino);
        assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /^flags:\s+02/m);
        closeSync(fd);
      }
      assert.deepEqual(receiveMessage(ours, buffer), { size: 4, fds: [] });
    });
  });
});

test('more descriptors than are taken are an error, and none stays open', { skip }, () => {
  withPair('stream', (ours, theirs) => {
    send(
      theirs,
      'many',
      Array.from({ length: 17 }, () => '/dev/null'),
    );
    const before = openDescriptors();
    assert.throws(() => receiveMessage(ours, Buffer.alloc(8)), { code: 'TOO_MANY_FDS' });
    assert.equal(openDescriptors(), before);
  });
});

test('an empty socket is EAGAIN, a closed one the end', () => {
  withPair('stream', (ours, theirs) => {
    assert.throws(() => receiveMessage(ours, Buffer.alloc(1)), { code: 'EAGAIN' });
    writeSync(theirs, 'x');
    assert.deepEqual(receiveMessage(ours, Buffer.alloc(1), { wait: true }), { size: 1, fds: [] });
  });
  const [ours, theirs] = socketPair('stream');
  closeSync(theirs);
  assert.deepEqual(receiveMessage(ours, Buffer.alloc(1)), { size: 0, fds: [] });
  closeSync(ours);
});

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
