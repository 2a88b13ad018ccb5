import assert from 'node:assert/strict';
import { closeSync, constants, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ErofsImage } from '../../src/composefs/erofs/index.js';
import { ErofsReaderError } from '../../src/composefs/erofs/reader/errors.js';
import { computeVerity } from '../../src/composefs/fsverity/digest.js';
import { objectPathname } from '../../src/composefs/fsverity/object-id.js';
import type { Directory } from '../../src/composefs/tree/inode.js';
import { ComposefsError } from '../../src/errors.js';
import { DEFERRED, ImageServer, NO_REPLY } from '../../src/fuse/image-server.js';
import { ObjectFiles } from '../../src/fuse/object-files.js';
import { ObjectTable } from '../../src/fuse/object-table.js';
import * as wire from '../../src/fuse/wire/index.js';
import type { OverlayXattrMode } from '../../src/fuse/xattr-names.js';
import { directory, inline, leaf, name, stat, WHITEOUT, write, xattrs } from '../composefs/erofs/support.js';
import { fuzzRuns } from '../oci/fuzz-runs.js';
import { withTempDir } from '../support/paths.js';

/** The answers to single requests, without a mount. */

const BIG = Buffer.alloc(20_000, 'external ');
const BIG_ID = computeVerity('sha256', BIG);
const SMALL_LIMIT = 10_000;

function tree(): Directory {
  const external = leaf({ type: 'regular', file: { storage: 'external', id: BIG_ID, size: BIG.length } });
  return directory({
    empty: leaf(inline('')),
    inline: leaf(inline('hello'), stat(0o640, { uid: 7, gid: 8, mtimeSec: 1234, mtimeNsec: 56 })),
    external,
    link: external,
    sparse: leaf({ type: 'regular', file: { storage: 'sparse', size: 2 ** 40 } }),
    symlink: leaf({ type: 'symlink', target: name('some/where') }),
    long: leaf({ type: 'symlink', target: name('x'.repeat(1024)) }),
    device: leaf({ type: 'character-device', rdev: 0x103 }),
    whiteout: leaf(WHITEOUT),
    attributes: leaf(
      inline('x'),
      stat(0o600, {
        xattrs: xattrs({ 'user.a': 'one', 'security.b': 'two', 'trusted.c': '', 'trusted.overlay.d': 'three' }),
      }),
    ),
    many: directory(Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`entry-${n}`, leaf(inline(`${n}`))]))),
  });
}

interface Answer {
  readonly result: number;
  readonly reply: Buffer;
}

class Requests {
  readonly #server: ImageServer;
  readonly #reply = Buffer.alloc(1 << 20, 0xee);

  constructor(server: ImageServer) {
    this.#server = server;
  }

  ask(opcode: number, node: number, body: Buffer = Buffer.alloc(0), uid = 0): Answer {
    const header = { length: 40 + body.length, opcode, uniqueLow: 1, uniqueHigh: 0, node, uid };
    const result = this.#server.handle(header, body, this.#reply);
    return { result, reply: Buffer.from(this.#reply.subarray(0, Math.max(0, result))) };
  }

  lookup(...names: readonly string[]): number {
    return names.reduce((node, each) => {
      const { result, reply } = this.ask(wire.FUSE_LOOKUP, node, Buffer.from(`${each}\0`));
      assert.equal(result, wire.ENTRY_REPLY_SIZE, each);
      return Number(reply.readBigUInt64LE(0));
    }, wire.ROOT_NODE);
  }

  open(node: number): { result: number; handle: number } {
    const { result, reply } = this.ask(wire.FUSE_OPEN, node, Buffer.alloc(8));
    return { result, handle: result < 0 ? -1 : Number(reply.readBigUInt64LE(0)) };
  }

  read(node: number, handle: number, offset: number, size: number, opcode: number = wire.FUSE_READ): Answer {
    return this.ask(opcode, node, readBody(handle, offset, size));
  }

  names(node: number, opcode: number, size: number): string[] {
    const names: string[] = [];
    for (let offset = 0; ; ) {
      const { result, reply } = this.read(node, 0, offset, size, opcode);
      assert(result >= 0 && result <= size);
      if (result === 0) return names;
      for (let at = 0; at < reply.length; ) {
        const dirent = opcode === wire.FUSE_READDIRPLUS ? at + 128 : at;
        const length = reply.readUInt32LE(dirent + 16);
        names.push(reply.toString('utf8', dirent + 24, dirent + 24 + length));
        offset = Number(reply.readBigUInt64LE(dirent + 8));
        at = dirent + wire.direntSize(length);
      }
    }
  }

  xattr(node: number, attribute: string, size = 65536): Answer {
    const body = Buffer.concat([Buffer.alloc(8), Buffer.from(`${attribute}\0`)]);
    body.writeUInt32LE(size, 0);
    return this.ask(wire.FUSE_GETXATTR, node, body);
  }

  xattrNames(node: number, uid = 0): string[] {
    const body = Buffer.alloc(8);
    body.writeUInt32LE(65536, 0);
    const { reply } = this.ask(wire.FUSE_LISTXATTR, node, body, uid);
    return reply.toString('latin1').split('\0').slice(0, -1).sort();
  }
}

function readBody(handle: number, offset: number, size: number): Buffer {
  const body = Buffer.alloc(40);
  body.writeBigUInt64LE(BigInt(handle), 0);
  body.writeBigUInt64LE(BigInt(offset), 8);
  body.writeUInt32LE(size, 16);
  return body;
}

interface ServerOptions {
  readonly image?: Buffer;
  readonly object?: Buffer | undefined;
  readonly mode?: OverlayXattrMode;
  readonly verify?: boolean;
}

function withServer(options: ServerOptions, action: (requests: Requests, objects: string) => void): void {
  const { image = write(tree(), 1), object = BIG, mode, verify = false } = options;
  withTempDir((objects) => {
    const path = join(objects, objectPathname(BIG_ID));
    mkdirSync(dirname(path));
    if ('object' in options ? options.object !== undefined : true) writeFileSync(path, object);
    const objectsFd = openSync(objects, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const table = ObjectTable.forImage(image.length);
      const server = new ImageServer({
        image: ErofsImage.open(image),
        objects: new ObjectFiles(objectsFd, table, verify),
        overlayXattr: mode,
        noOpendir: true,
        passthrough: undefined,
        trustedXattrs: true,
        hashMax: SMALL_LIMIT,
      });
      action(new Requests(server), objects);
    } finally {
      closeSync(objectsFd);
    }
  });
}

for (const version of [0, 1, 2] as const) {
  test(`files of a V${version} image are read from the image, its objects, or nowhere`, () => {
    withServer({ image: write(tree(), version) }, (requests) => {
      const contentOf = (file: string, offset = 0, size = 65536): string => {
        const node = requests.lookup(file);
        const { handle } = requests.open(node);
        const { reply } = requests.read(node, handle, offset, size);
        requests.ask(wire.FUSE_RELEASE, node, Buffer.concat([readBody(handle, 0, 0)]));
        return reply.toString('latin1');
      };
      assert.equal(contentOf('empty'), '');
      assert.equal(contentOf('inline'), 'hello');
      assert.equal(contentOf('inline', 3, 1), 'l');
      assert.equal(contentOf('inline', 99), '');
      assert.equal(contentOf('external'), BIG.toString('latin1'));
      assert.equal(contentOf('external', 19_990), BIG.toString('latin1', 19_990));
      assert.equal(contentOf('sparse', 2 ** 40 - 5), '\0'.repeat(5));
      assert.equal(requests.lookup('external'), requests.lookup('link'));
      assert.equal(requests.ask(wire.FUSE_READLINK, requests.lookup('symlink')).reply.toString(), 'some/where');
      assert.equal(requests.ask(wire.FUSE_READLINK, requests.lookup('long')).reply.toString(), 'x'.repeat(1024));
      assert.equal(requests.ask(wire.FUSE_READLINK, requests.lookup('inline')).result, -wire.EINVAL);
    });
  });
}

test('attributes are those of the inode, with nanoseconds', () => {
  withServer({}, (requests) => {
    const { reply } = requests.ask(wire.FUSE_GETATTR, requests.lookup('inline'), Buffer.alloc(16));
    const word = (offset: number): number => Number(reply.readBigInt64LE(16 + offset));
    assert.deepEqual([word(8), word(24), word(32), word(40)], [5, 1234, 1234, 1234]);
    const fields = [48, 52, 56, 60, 64, 68, 72].map((offset) => reply.readUInt32LE(16 + offset));
    assert.deepEqual(fields, [56, 56, 56, 0o100640, 1, 7, 8]);
    const device = requests.ask(wire.FUSE_GETATTR, requests.lookup('device')).reply;
    assert.equal(device.readUInt32LE(16 + 76), 0x103);
    const link = requests.ask(wire.FUSE_GETATTR, requests.lookup('link')).reply;
    assert.equal(link.readUInt32LE(16 + 64), 2);
    assert.throws(() => requests.ask(wire.FUSE_GETATTR, 0), { code: 'EINVAL' });
    assert.throws(() => requests.ask(wire.FUSE_GETATTR, 2 ** 40), ErofsReaderError);
  });
});

test('a missing name is remembered by the kernel; whiteouts are missing, but not for an overlay', () => {
  const missing = (requests: Requests, file: string): boolean => {
    const { result, reply } = requests.ask(wire.FUSE_LOOKUP, wire.ROOT_NODE, Buffer.from(`${file}\0`));
    assert.equal(result, wire.ENTRY_REPLY_SIZE);
    return reply.readBigUInt64LE(0) === 0n && reply.readBigUInt64LE(16) === 1_000_000n;
  };
  withServer({}, (requests) => {
    assert(missing(requests, 'nothing'));
    assert(missing(requests, 'whiteout'));
    assert(missing(requests, '00'));
    assert(!missing(requests, 'inline'));
    const file = requests.lookup('inline');
    assert.equal(requests.ask(wire.FUSE_LOOKUP, file, Buffer.from('x\0')).result, -wire.ENOTDIR);
  });
  withServer({ mode: 'user' }, (requests) => {
    assert(!missing(requests, 'whiteout'));
    assert(!missing(requests, '00'));
    const external = requests.lookup('external');
    const { handle } = requests.open(external);
    assert.equal(requests.read(external, handle, 0, 1).result, -wire.EBADF);
    assert.equal(requests.ask(wire.FUSE_RELEASE, external, readBody(handle, 0, 0)).result, 0);
    assert.equal(requests.open(requests.lookup('inline')).result, 16);
  });
});

test('directories are listed completely, whatever fits into one reply', () => {
  withServer({}, (requests) => {
    const many = requests.lookup('many');
    const expected = ['.', '..', ...Array.from({ length: 600 }, (_, n) => `entry-${n}`)].sort();
    for (const opcode of [wire.FUSE_READDIR, wire.FUSE_READDIRPLUS]) {
      for (const size of [200, 4096, 1 << 20]) assert.deepEqual(requests.names(many, opcode, size).sort(), expected);
    }
    assert.equal(requests.read(many, 0, 0, 20, wire.FUSE_READDIR).result, 0);
    assert.equal(requests.read(many, 0, 2 ** 50, 4096, wire.FUSE_READDIR).result, 0);
    const root = requests.names(wire.ROOT_NODE, wire.FUSE_READDIR, 4096);
    assert(!root.includes('whiteout') && !root.includes('00') && root.includes('inline'));
    const file = requests.lookup('inline');
    assert.equal(requests.read(file, 0, 0, 4096, wire.FUSE_READDIR).result, -wire.ENOTDIR);
  });
});

test('xattrs have the names and sizes that the kernel mount shows', () => {
  withServer({}, (requests) => {
    const node = requests.lookup('attributes');
    assert.deepEqual(requests.xattrNames(node), ['security.b', 'trusted.c', 'trusted.overlay.d', 'user.a']);
    assert.deepEqual(requests.xattrNames(node, 1000), ['security.b', 'user.a']);
    assert.deepEqual(requests.xattrNames(requests.lookup('external')), []);
    assert.equal(requests.xattr(node, 'user.a').reply.toString(), 'one');
    assert.equal(requests.xattr(node, 'trusted.overlay.d').reply.toString(), 'three');
    assert.equal(requests.xattr(node, 'trusted.c').result, 0);
    assert.equal(requests.xattr(node, 'user.a', 2).result, -wire.ERANGE);
    assert.equal(requests.xattr(node, 'user.a', 0).reply.readUInt32LE(0), 3);
    assert.equal(requests.xattr(node, 'user.b').result, -wire.ENODATA);
    assert.equal(requests.xattr(requests.lookup('external'), 'trusted.overlay.redirect').result, -wire.ENODATA);
    assert.equal(requests.ask(wire.FUSE_LISTXATTR, node, Buffer.from('0100000000000000', 'hex')).result, -wire.ERANGE);
  });
  withServer({ mode: 'user' }, (requests) => {
    const file = requests.lookup('external');
    assert.deepEqual(requests.xattrNames(file), ['user.overlay.metacopy', 'user.overlay.redirect']);
    assert.equal(requests.xattr(file, 'user.overlay.redirect').reply.toString(), `/${objectPathname(BIG_ID)}`);
  });
});

test('SEEK_DATA and SEEK_HOLE tell files that are one hole', () => {
  const seek = (requests: Requests, file: string, offset: number, whence: number): number => {
    const body = readBody(0, offset, whence);
    const { result, reply } = requests.ask(wire.FUSE_LSEEK, requests.lookup(file), body);
    return result < 0 ? result : Number(reply.readBigUInt64LE(0));
  };
  withServer({}, (requests) => {
    assert.equal(seek(requests, 'external', 5, wire.SEEK_DATA), 5);
    assert.equal(seek(requests, 'external', 5, wire.SEEK_HOLE), BIG.length);
    assert.equal(seek(requests, 'external', BIG.length, wire.SEEK_DATA), -wire.ENXIO);
    assert.equal(seek(requests, 'sparse', 5, wire.SEEK_DATA), -wire.ENXIO);
    assert.equal(seek(requests, 'sparse', 5, wire.SEEK_HOLE), 5);
    assert.equal(seek(requests, 'inline', 0, 0), -wire.EINVAL);
  });
});

test('an object that is missing, of another size or no file is an error of that file alone', () => {
  withServer({ object: undefined }, (requests) => {
    assert.throws(() => requests.open(requests.lookup('external')), { code: 'ENOENT' });
    assert.equal(requests.open(requests.lookup('inline')).result, 16);
  });
  withServer({ object: BIG.subarray(1) }, (requests) => {
    assert.throws(() => requests.open(requests.lookup('external')), {
      code: 'DAMAGED_OBJECT',
      message: `object ${objectPathname(BIG_ID)}: its size is not that of the file`,
    });
  });
});

test('an object that becomes shorter while it is open is EIO, not a shorter file', () => {
  withServer({}, (requests, objects) => {
    const node = requests.lookup('external');
    const { handle } = requests.open(node);
    writeFileSync(join(objects, objectPathname(BIG_ID)), BIG.subarray(0, 10_000));
    assert.equal(requests.read(node, handle, 0, 10_000).result, 10_000);
    assert.equal(requests.read(node, handle, 0, 10_001).result, -wire.EIO);
    requests.ask(wire.FUSE_RELEASE, node, readBody(handle, 0, 0));
    assert.equal(requests.read(node, 2 ** 50, 0, 1).result, -wire.EBADF);
  });
});

test('a large object that has to be hashed is deferred', () => {
  withServer({ verify: true }, (requests) => {
    assert.equal(requests.open(requests.lookup('external')).result, DEFERRED);
  });
});

test('requests that nobody answers, and some that need nothing', () => {
  withServer({}, (requests) => {
    assert.equal(requests.ask(wire.FUSE_FORGET, 1, Buffer.alloc(8)).result, NO_REPLY);
    assert.equal(requests.ask(wire.FUSE_BATCH_FORGET, 0, Buffer.alloc(24)).result, NO_REPLY);
    assert.equal(requests.ask(wire.FUSE_OPENDIR, 1, Buffer.alloc(8)).result, -wire.ENOSYS);
    assert.equal(requests.ask(wire.FUSE_RELEASEDIR, 1, Buffer.alloc(24)).result, 0);
    assert.equal(requests.ask(wire.FUSE_STATFS, 1).result, wire.STATFS_SIZE);
    for (const opcode of [0, 16, 36, 4096, 2 ** 32 - 1]) assert.equal(requests.ask(opcode, 1).result, -wire.ENOSYS);
  });
});

test('whatever is asked about whatever image, there is an answer or an error', () => {
  const images = ([0, 1, 2] as const).map((version) => write(tree(), version));
  const opcodes = [1, 3, 5, 14, 15, 17, 18, 22, 23, 27, 28, 44, 46, 99];
  const request = fc.record({
    opcode: fc.constantFrom(...opcodes),
    node: fc.oneof(fc.nat(400), fc.nat(2 ** 31), fc.maxSafeNat()),
    // Handles are the kernel's to give back: others would be descriptors of this process.
    body: fc.uint8Array({ maxLength: 64 }).map((body) => Buffer.concat([Buffer.alloc(8), Buffer.from(body)])),
  });
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 20 });
  fc.assert(
    fc.property(fc.nat(2), damage, fc.array(request, { maxLength: 20 }), (index, bytes, all) => {
      const image = Buffer.from(images[index] ?? []);
      for (const [position, value] of bytes) image[1024 + (position % (image.length - 1024))] = value;
      let server: ImageServer;
      const table = ObjectTable.forImage(image.length);
      try {
        server = new ImageServer({
          image: ErofsImage.open(image),
          objects: new ObjectFiles(-1, table, true),
          overlayXattr: undefined,
          noOpendir: true,
          passthrough: undefined,
          trustedXattrs: true,
          hashMax: SMALL_LIMIT,
        });
      } catch (error) {
        assert(error instanceof ErofsReaderError);
        return;
      }
      const requests = new Requests(server);
      for (const { opcode, node, body } of all) {
        try {
          const { result } = requests.ask(opcode, node, body);
          assert(result <= 1 << 20);
        } catch (error) {
          assert(error instanceof ComposefsError || (error instanceof Error && 'errno' in error), String(error));
        }
      }
    }),
    { numRuns: fuzzRuns(500) },
  );
});
