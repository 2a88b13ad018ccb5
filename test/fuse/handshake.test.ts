import assert from 'node:assert/strict';
import { test } from 'node:test';
import { negotiate } from '../../src/fuse/handshake.js';
import * as wire from '../../src/fuse/wire/index.js';

const ALL = 0xffffffff | 0;
const init = { major: 7, minor: 45, maxReadahead: 131072, flags: ALL, flags2: ALL };

test('the kernel gets what helps with a file system that never changes, as far as it offers it', () => {
  const reply = negotiate(init, { acl: false, passthrough: false });
  assert.equal(reply.minor, 40);
  assert.equal(reply.maxReadahead, 131072);
  assert.equal(reply.flags & wire.INIT_POSIX_ACL, 0);
  assert.notEqual(reply.flags & wire.INIT_NO_OPENDIR_SUPPORT, 0);
  assert.deepEqual([reply.flags2, reply.maxStackDepth], [0, 0]);
  assert.deepEqual(negotiate({ ...init, flags: 0 }, { acl: true, passthrough: true }).flags, 0);
});

test('passthrough is agreed on if it is wanted, and if the kernel has it', () => {
  const wanted = { acl: true, passthrough: true };
  const reply = negotiate(init, wanted);
  assert.deepEqual([reply.flags2, reply.maxStackDepth], [wire.INIT2_PASSTHROUGH, 1]);
  assert.notEqual(reply.flags & wire.INIT_POSIX_ACL, 0);
  for (const offer of [
    { ...init, flags2: 0 },
    { ...init, flags: ALL & ~wire.INIT_EXT },
  ]) {
    const without = negotiate(offer, wanted);
    assert.deepEqual([without.flags2, without.maxStackDepth], [0, 0]);
  }
});
