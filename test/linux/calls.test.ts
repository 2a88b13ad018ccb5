import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type ByteString, byteStringFrom } from '../../src/bytes/byte-string.js';
import { waitForFlock } from '../../src/fs/wait-for-flock.js';
import { checkCall, errnoName, isSystemError, SystemError } from '../../src/linux/errno.js';
import { cString, libcFunction, loadLibc, loadLibrary } from '../../src/linux/ffi.js';
import { isReadOnlyFileSystem, syncfs } from '../../src/linux/file-system.js';
import { tryFlock } from '../../src/linux/flock.js';
import { ficlone } from '../../src/linux/ioctl.js';
import { linkFd, linkOpenFile, renameNoReplace } from '../../src/linux/link.js';
import { hasCapability } from '../../src/linux/process.js';
import { enableVerity, measureVerity } from '../../src/linux/verity.js';
import { readXattrs, readXattrsOfFd, setXattr } from '../../src/linux/xattr.js';
import { withTempDir } from '../support/paths.js';
import { withFd } from '../support/with-fd.js';

const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

test('the C library is loaded once and its functions can be called', () => {
  const libc = loadLibc();
  assert.equal(loadLibc(), libc);
  const getpid = libcFunction<[], number>('getpid', 'int', []);
  assert.equal(getpid(), process.pid);
});

test('a library that is not there is FFI_UNAVAILABLE and the reason names it', () => {
  assert.throws(() => loadLibrary(['libno-such-library.so.7']), {
    code: 'FFI_UNAVAILABLE',
    message: /libno-such-library\.so\.7/,
  });
  assert.equal(loadLibrary(['libno-such-library.so.7', null]), loadLibc());
});

test('a function that the C library lacks is FFI_UNAVAILABLE when it is called', () => {
  const missing = libcFunction<[], number>('no_such_function', 'int', []);
  assert.throws(() => missing(), { code: 'FFI_UNAVAILABLE', message: /no_such_function/ });
});

test('an error names the call, the thing, the text and the number', () => {
  const error = new SystemError(95, 'FS_IOC_MEASURE_VERITY', 7);
  assert.equal(error.message, 'FS_IOC_MEASURE_VERITY fd 7: Operation not supported (os error 95)');
  assert.equal(error.code, 'EOPNOTSUPP');
  assert.equal(error.errno, 95);
  assert.equal(error.syscall, 'FS_IOC_MEASURE_VERITY');
  assert.equal(new SystemError(2, 'linkat', '/a').message, 'linkat /a: No such file or directory (os error 2)');
  assert(isSystemError(error, 'EINVAL', 'EOPNOTSUPP'));
  assert(!isSystemError(error, 'EINVAL'));
  assert(!isSystemError(new Error('x'), 'EINVAL'));
});

test('errno names are those of the kernel headers, without second names', () => {
  const names = [11, 15, 25, 35, 61, 75, 95, 129].map(errnoName);
  assert.deepEqual(names, [
    'EAGAIN',
    'ENOTBLK',
    'ENOTTY',
    'EDEADLK',
    'ENODATA',
    'EOVERFLOW',
    'EOPNOTSUPP',
    'EKEYREJECTED',
  ]);
  assert.equal(errnoName(1000), 'ERRNO_1000');
});

test('a result that is no failure is passed on', () => {
  assert.equal(checkCall(5, 'open', '/'), 5);
});

test('a path with a NUL byte is refused, not cut', () => {
  assert.throws(() => cString('a\0b'), { code: 'EINVAL', message: '"a\\u0000b" contains a NUL byte' });
  assert.deepEqual(cString('é'), Buffer.from([0xc3, 0xa9, 0]));
  assert.deepEqual(cString(Buffer.from([0xff])), Buffer.from([0xff, 0]));
});

test('foreign functions work in a worker thread', async () => {
  const module = new URL('../../src/linux/file-system.js', import.meta.url).href;
  const code = `
    const { parentPort } = require('node:worker_threads');
    const { openSync } = require('node:fs');
    import(${JSON.stringify(module)}).then((m) => parentPort.postMessage(m.isReadOnlyFileSystem(openSync('/', 'r'))));`;
  const worker = new Worker(code, { eval: true });
  const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  assert.equal(typeof answer, 'boolean');
  await worker.terminate();
});

test('an anonymous file gets a name, but not a taken one', () => {
  withTempDir((directory) => {
    const fd = openSync(directory, O_TMPFILE | constants.O_RDWR, 0o600);
    try {
      writeSync(fd, 'content');
      linkFd(fd, join(directory, 'ä'));
      assert.equal(readFileSync(join(directory, 'ä'), 'utf8'), 'content');
      // Bytes go through /proc, as everything does where the kernel does not name a file by its descriptor.
      linkFd(fd, Buffer.from(join(directory, 'b')));
      assert.equal(fstatSync(fd).nlink, 2);
      assert.throws(() => linkFd(fd, Buffer.from(join(directory, 'b'))), { code: 'EEXIST' });
      assert.throws(() => linkFd(fd, `${join(directory, 'c')}\0d`), { code: 'EINVAL' });
      assert.throws(() => linkFd(fd, join(directory, 'ä')), { code: 'EEXIST' });
      assert.throws(() => linkFd(fd, join(directory, 'no/b')), { code: 'ENOENT', message: /^linkat .*no\/b: / });
    } finally {
      closeSync(fd);
    }
  });
});

test('an open file gets a second name', { skip: skipUnless('CAP_DAC_READ_SEARCH') }, () => {
  withTempDir((directory) => {
    const fd = openSync(join(directory, 'a'), 'w');
    try {
      linkOpenFile(fd, join(directory, 'b'));
      assert.equal(fstatSync(fd).nlink, 2);
      assert.throws(() => linkOpenFile(fd, join(directory, 'b')), { code: 'EEXIST' });
    } finally {
      closeSync(fd);
    }
  });
});

test('a rename without replacement leaves what is there', () => {
  withTempDir((directory) => {
    const [from, to] = [join(directory, 'from'), join(directory, 'to')];
    writeFileSync(from, 'new');
    renameNoReplace(from, to);
    assert(!existsSync(from));
    writeFileSync(from, 'newer');
    assert.throws(() => renameNoReplace(from, to), { code: 'EEXIST' });
    assert.equal(readFileSync(to, 'utf8'), 'new');
    assert.equal(readFileSync(from, 'utf8'), 'newer');
  });
});

test('locks of two holders exclude each other as they should', () => {
  withTempDir((directory) => {
    const [a, b] = [openSync(directory, 'r'), openSync(directory, 'r')];
    try {
      assert(tryFlock(a, 'shared'));
      assert(tryFlock(b, 'shared'));
      assert(!tryFlock(a, 'exclusive'));
      assert(tryFlock(b, 'unlock'));
      assert(tryFlock(a, 'exclusive'));
      assert(!tryFlock(b, 'shared'));
    } finally {
      closeSync(a);
      closeSync(b);
    }
    assert.throws(() => tryFlock(-1, 'shared'), { code: 'EBADF', message: /^flock fd -1: / });
  });
});

test('waiting for a lock leaves the event loop alone and ends when the holder lets go', async () => {
  await withTempDir(async (directory) => {
    const [a, b] = [openSync(directory, 'r'), openSync(directory, 'r')];
    try {
      await waitForFlock(a, 'shared');
      let taken = false;
      const waiting = waitForFlock(b, 'exclusive').then(() => {
        taken = true;
      });
      await setTimeout(30);
      assert.equal(taken, false);
      await waitForFlock(a, 'unlock');
      await waiting;
      assert.equal(taken, true);
    } finally {
      closeSync(a);
      closeSync(b);
    }
  });
});

test('waiting for a lock can be given up', async () => {
  await withTempDir(async (directory) => {
    const [a, b] = [openSync(directory, 'r'), openSync(directory, 'r')];
    try {
      await waitForFlock(a, 'exclusive');
      await assert.rejects(waitForFlock(b, 'shared', { signal: AbortSignal.timeout(20) }), (error: Error) =>
        /Abort|Timeout/.test(error.name),
      );
      await assert.rejects(waitForFlock(b, 'shared', { signal: AbortSignal.abort() }), { name: 'AbortError' });
      await assert.rejects(waitForFlock(-1, 'shared'), { code: 'EBADF' });
    } finally {
      closeSync(a);
      closeSync(b);
    }
  });
});

test('xattrs are read as bytes, of a symlink its own', (t) => {
  withTempDir((directory) => {
    const file = join(directory, 'file');
    const link = join(directory, 'link');
    writeFileSync(file, '');
    symlinkSync('file', link);
    const name = byteStringFrom(Buffer.from('user.\xff', 'latin1'));
    const value = byteStringFrom(Buffer.from([0, 1, 255]));
    try {
      setXattr(file, name, value);
    } catch (error) {
      if (!isSystemError(error, 'EOPNOTSUPP')) throw error;
      t.skip('the temporary directory has no user xattrs');
      return;
    }
    setXattr(Buffer.from(file), 'user.empty' as ByteString, '' as ByteString);
    const xattrs = readXattrs(file);
    assert.equal(xattrs.get(name), value);
    assert.equal(xattrs.get('user.empty' as ByteString), '');
    assert.deepEqual(withFd(file, readXattrsOfFd), xattrs);
    assert.throws(() => readXattrsOfFd(-1), { code: 'EBADF', message: /^flistxattr fd -1: / });
    assert.deepEqual(readXattrs(Buffer.from(file)), xattrs);
    assert(!readXattrs(link).has(name));
    assert.throws(() => setXattr(link, name, value), { code: 'EPERM', message: /^lsetxattr .*link: / });
    assert.throws(() => readXattrs(join(directory, 'none')), { code: 'ENOENT', message: /^llistxattr .*none: / });
  });
});

test('a large xattr value is read whole', (t) => {
  withTempDir((directory) => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    const value = byteStringFrom(Buffer.alloc(3000, 7));
    try {
      setXattr(file, 'user.large' as ByteString, value);
    } catch (error) {
      if (!isSystemError(error, 'EOPNOTSUPP', 'ENOSPC')) throw error;
      t.skip('the temporary directory has no large user xattrs');
      return;
    }
    assert.equal(readXattrs(file).get('user.large' as ByteString), value);
  });
});

test('file systems can be synced, and read-only ones are told apart', () => {
  withFd('/proc', (fd) => assert.equal(isReadOnlyFileSystem(fd), false));
  withTempDir((directory) =>
    withFd(directory, (fd) => {
      assert.equal(isReadOnlyFileSystem(fd), false);
      syncfs(fd);
    }),
  );
  assert.throws(() => syncfs(-1), { code: 'EBADF' });
  assert.throws(() => isReadOnlyFileSystem(-1), { code: 'EBADF' });
});

test('capabilities are those that /proc tells of this thread', () => {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'));
  const effective = BigInt(`0x${line?.[1]}`);
  assert.equal(hasCapability('CAP_DAC_OVERRIDE'), ((effective >> 1n) & 1n) === 1n);
  assert.equal(hasCapability('CAP_DAC_READ_SEARCH'), ((effective >> 2n) & 1n) === 1n);
  assert.equal(hasCapability('CAP_SYS_ADMIN'), ((effective >> 21n) & 1n) === 1n);
});

test('reflinks work or say that they cannot', () => {
  withTempDir((directory) => {
    const [source, target] = [join(directory, 'a'), join(directory, 'b')];
    writeFileSync(source, Buffer.alloc(8192, 1));
    writeFileSync(target, '');
    withFd(source, (sourceFd) => {
      const targetFd = openSync(target, 'r+');
      try {
        ficlone(targetFd, sourceFd);
        assert.deepEqual(readFileSync(target), readFileSync(source));
      } catch (error) {
        assert(isSystemError(error, 'EOPNOTSUPP', 'EXDEV', 'ENOTTY'), String(error));
      } finally {
        closeSync(targetFd);
      }
    });
  });
});

test('fs-verity of a file that has none is an error with the name of its errno', () => {
  withFd('/proc/self/status', (fd) => {
    assert.throws(() => measureVerity(fd, 32), { code: /^(ENOTTY|EOPNOTSUPP|ENODATA)$/ });
    assert.throws(() => enableVerity(fd, 1), { code: /^(ENOTTY|EOPNOTSUPP)$/ });
  });
});

function skipUnless(name: 'CAP_DAC_READ_SEARCH'): string | false {
  return hasCapability(name) ? false : `needs ${name}`;
}
