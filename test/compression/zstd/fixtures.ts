import { type LibZstd, loadLibZstd } from '../../../src/compression/zstd/libzstd.js';

/** The input of spec 30 §14.2. */
export function releaseCheckInput(length: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil(length / 512) * 512);
  for (let i = 0; i * 512 < bytes.length; i++) {
    const number = String((i * 7919) % 1000003).padStart(6, '0');
    bytes.write(`dir${(i * 7) % 13}/file-${number}.dat`, i * 512);
    bytes.write(((BigInt(i) * 2654435761n) % 2n ** 32n).toString(8), i * 512 + 136);
  }
  return bytes.subarray(0, length);
}

/** A frame of raw blocks, without any compression. `windowLog` up to 41 as the format has it. */
export function rawFrame(data: Uint8Array, windowLog = 17): Buffer {
  const parts: Uint8Array[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (windowLog - 10) << 3])];
  for (let offset = 0; offset === 0 || offset < data.length; offset += 131072) {
    const block = data.subarray(offset, offset + 131072);
    const last = offset + block.length === data.length;
    parts.push(blockHeader(0, block.length, last), block);
  }
  return Buffer.concat(parts);
}

/** A frame of blocks that repeat one byte: 4 bytes of input for each 128 KiB of output. */
export function repeatFrame(byte: number, blocks: number): Buffer {
  const parts: Uint8Array[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38])];
  for (let i = 1; i <= blocks; i++) parts.push(blockHeader(1, 131072, i === blocks), Buffer.of(byte));
  return Buffer.concat(parts);
}

export function skippableFrame(content: Uint8Array, nibble = 0): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a50 + nibble, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}

function blockHeader(type: number, size: number, last: boolean): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE((size << 3) | (type << 1) | (last ? 1 : 0), 0, 3);
  return header;
}

/** The libzstd in use, if there is one, and null for the JavaScript decoder. */
export function decoders(): Map<string, LibZstd | null> {
  const all = new Map<string, LibZstd | null>([['JavaScript', null]]);
  const loaded = loadLibZstd();
  if (loaded !== null) all.set('libzstd', loaded);
  return all;
}

/** `data` cut at random places, or into single bytes. */
export function cutAt(data: Buffer, positions: readonly number[]): Buffer[] {
  const cuts = [0, ...positions.map((p) => p % (data.length + 1)), data.length].sort((a, b) => a - b);
  return cuts.slice(1).map((end, index) => data.subarray(cuts[index] ?? 0, end));
}
