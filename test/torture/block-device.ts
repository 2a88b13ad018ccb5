import { closeSync, openSync, read, readSync, writeSync, writevSync } from 'node:fs';
import { promisify } from 'node:util';
import { decodeUint64, encodeInt64 } from '../../src/bytes/int64.js';
import { errorCode } from '../../src/errors.js';
import { withFd } from '../../src/fs/files.js';
import * as wire from '../../src/fuse/wire/index.js';
import { AT_FDCWD } from '../../src/linux/constants.js';
import { openFuseDevice } from '../../src/linux/fuse-device.js';
import { fsconfigCreate, fsconfigString, fsmount, fsopen, moveMount } from '../../src/linux/mount-api.js';
import { encodeRecord, RECORD_FLUSH, RECORD_WRITE } from './block-log.js';

/**
 * A process that serves a file system with one file, `disk`, for a loop device to lie over, and writes down every write
 * and flush that reaches it, in their order: dm-log-writes for kernels without it. Node is all that it needs.
 *
 *     node block-device.js DISK LOG DIRECTORY
 *
 * DISK is the file in which the content is, LOG gets the records (block-log.ts), DIRECTORY is where it mounts itself.
 * Ends when it is unmounted, or when its standard input ends: it keeps its mount alive, so it must not outlive its parent.
 */

const FUSE_WRITE = 16;
const FUSE_FSYNC = 20;
const FUSE_FLUSH = 25;
const FUSE_FALLOCATE = 43;
const FUSE_INTERRUPT = 36;
const FOPEN_DIRECT_IO = 1;
/** The kernel must not cut a write in pieces of one page. */
const INIT_BIG_WRITES = 1 << 5;
const EOPNOTSUPP = 95;

const DISK_NODE = 2;
const DISK_NAME = 'disk';
const MAX_WRITE = 1 << 20;
const WRITE_HEADER_SIZE = 40;
const PAGE = 4096;

class BlockDevice {
  readonly #disk: number;
  readonly #log: number;
  readonly #size: number;

  constructor(disk: number, log: number, size: number) {
    this.#disk = disk;
    this.#log = log;
    this.#size = size;
  }

  /** @returns the length of the reply's body, a negative errno, or undefined if there is no reply. */
  handle({ opcode, node }: wire.RequestHeader, body: Buffer, reply: Buffer): number | undefined {
    switch (opcode) {
      case wire.FUSE_INIT:
        return this.#init(body, reply);
      case wire.FUSE_FORGET:
      case wire.FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT:
        return undefined;
      case wire.FUSE_LOOKUP:
        if (wire.decodeName(body).toString('latin1') !== DISK_NAME) return wire.encodeNoEntry(reply, 0);
        return wire.encodeEntry(reply, 0, DISK_NODE, this.#attributes(DISK_NODE));
      case wire.FUSE_GETATTR:
        return wire.encodeAttributesReply(reply, 0, this.#attributes(node));
      case wire.FUSE_OPEN:
        return wire.encodeOpen(reply, 0, 0, FOPEN_DIRECT_IO, 0);
      case wire.FUSE_READ: {
        const { offset, size } = wire.decodeRead(body);
        return readSync(this.#disk, reply, 0, Math.min(size, reply.length), offset);
      }
      case FUSE_WRITE:
        return this.#write(body, reply);
      case FUSE_FSYNC:
        writeSync(this.#log, encodeRecord({ type: RECORD_FLUSH, offset: 0, size: 0 }));
        return 0;
      case wire.FUSE_RELEASE:
      case wire.FUSE_OPENDIR:
      case wire.FUSE_RELEASEDIR:
      case wire.FUSE_DESTROY:
      case FUSE_FLUSH:
        return 0;
      case wire.FUSE_STATFS:
        return wire.encodeStatfs(reply, 0);
      case FUSE_FALLOCATE:
        return -EOPNOTSUPP;
      default:
        return -wire.ENOSYS;
    }
  }

  #init(body: Buffer, reply: Buffer): number {
    const { flags, maxReadahead } = wire.decodeInit(body);
    return wire.encodeInit(reply, 0, {
      major: wire.FUSE_MAJOR,
      minor: wire.FUSE_MINOR,
      maxReadahead,
      flags: flags & (wire.INIT_MAX_PAGES | INIT_BIG_WRITES),
      flags2: 0,
      maxBackground: 64,
      congestionThreshold: 48,
      maxWrite: MAX_WRITE,
      maxPages: MAX_WRITE / PAGE,
      maxStackDepth: 0,
    });
  }

  /** `struct fuse_write_in`: fh @0, offset @8, size u32 @16; the data @40. */
  #write(body: Buffer, reply: Buffer): number {
    const offset = decodeUint64(body, 8);
    const size = body.readUInt32LE(16);
    const data = body.subarray(WRITE_HEADER_SIZE, WRITE_HEADER_SIZE + size);
    writevSync(this.#log, [encodeRecord({ type: RECORD_WRITE, offset, size }), data]);
    writeSync(this.#disk, data, 0, size, offset);
    encodeInt64(reply, size, 0);
    return 8;
  }

  #attributes(node: number): wire.Attributes {
    const isDisk = node === DISK_NODE;
    return {
      ino: node,
      size: isDisk ? this.#size : 0,
      blocks: isDisk ? this.#size / 512 : 0,
      mtimeSec: 0,
      mtimeNsec: 0,
      mode: isDisk ? 0o100600 : 0o040700,
      nlink: 1,
      uid: 0,
      gid: 0,
      rdev: 0,
    };
  }
}

const readAsync = promisify(read);

function mount(directory: string): number {
  const deviceFd = openFuseDevice();
  const mountFd = withFd(fsopen('fuse'), (context) => {
    for (const [key, value] of [
      ['source', 'composefs-oci-torture'],
      ['rootmode', '040700'],
      ['user_id', '0'],
      ['group_id', '0'],
      ['fd', String(deviceFd)],
    ] as const) {
      fsconfigString(context, key, value);
    }
    fsconfigCreate(context);
    return fsmount(context, 0);
  });
  moveMount(mountFd, AT_FDCWD, directory);
  closeSync(mountFd);
  return deviceFd;
}

async function serve(deviceFd: number, device: BlockDevice): Promise<void> {
  const request = Buffer.allocUnsafeSlow(MAX_WRITE + 64 * 1024);
  const reply = Buffer.allocUnsafeSlow(wire.REPLY_HEADER_SIZE + MAX_WRITE);
  for (;;) {
    let size: number;
    try {
      size = (await readAsync(deviceFd, request, 0, request.length, null)).bytesRead;
    } catch (error) {
      if (['EINTR', 'EAGAIN', 'ENOENT'].includes(errorCode(error))) continue;
      if (errorCode(error) === 'ENODEV') return;
      throw error;
    }
    const header = wire.decodeRequestHeader(request);
    const body = request.subarray(wire.REQUEST_HEADER_SIZE, size);
    const result = device.handle(header, body, reply.subarray(wire.REPLY_HEADER_SIZE));
    if (result === undefined) continue;
    const length = wire.REPLY_HEADER_SIZE + Math.max(result, 0);
    wire.encodeReplyHeader(reply, length, Math.max(-result, 0), header);
    try {
      writeSync(deviceFd, reply, 0, length, null);
    } catch {
      // Nobody waits for it any more.
    }
  }
}

const [disk = '', log = '', directory = '', size = ''] = process.argv.slice(2);
const device = new BlockDevice(openSync(disk, 'r+'), openSync(log, 'a'), Number(size));
const deviceFd = mount(directory);
process.stdout.write('mounted\n');
// Reading the device may be going on in another thread, which no ordinary exit ends.
process.stdin.resume().on('end', () => process.kill(process.pid, 'SIGKILL'));
await serve(deviceFd, device);
process.exit(0);
