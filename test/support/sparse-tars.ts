import { paxHeader, putBase256, tarEntry } from './tar-builder.js';

/** A file with holes, as tars have it. */
export interface SparseContent {
  readonly size: number;
  readonly regions: readonly (readonly [offset: number, length: number])[];
  /** Of the regions, one after the other. */
  readonly data: Buffer;
  /** With the holes. Undefined if it is too large. */
  readonly whole: Buffer | undefined;
}

/** A file with other bytes in each region. */
export function sparseFile(size: number, regions: readonly (readonly [number, number])[]): SparseContent {
  const parts = regions.map(([, length], index) => Buffer.alloc(length, 0x61 + (index % 26)));
  const whole = size > 2 ** 26 ? undefined : Buffer.alloc(size);
  for (const [index, [offset]] of regions.entries()) parts[index]?.copy(whole ?? Buffer.alloc(0), offset);
  return { size, regions, data: Buffer.concat(parts), whole };
}

/** Any content, with its blocks of zeros as holes. */
export function sparseContent(whole: Buffer): SparseContent {
  const regions: [number, number][] = [];
  const parts: Buffer[] = [];
  for (let offset = 0; offset < whole.length; offset += 512) {
    const block = whole.subarray(offset, offset + 512);
    if (block.every((byte) => byte === 0)) continue;
    regions.push([offset, block.length]);
    parts.push(block);
  }
  return { size: whole.length, regions, data: Buffer.concat(parts), whole };
}

export interface SparseTars {
  readonly gnu: Buffer;
  readonly pax00: Buffer;
  readonly pax01: Buffer;
  readonly pax10: Buffer;
}

/** An entry for it in each of the formats that GNU tar knows. */
export function sparseTars(file: SparseContent, name: string): SparseTars {
  return { gnu: gnu(file, name), pax00: pax00(file, name), pax01: pax01(file, name), pax10: pax10(file, name) };
}

function gnu({ size, regions, data }: SparseContent, name: string): Buffer {
  const pairs = regions.map(([offset, length]) => {
    const pair = Buffer.alloc(24);
    putNumber(pair, 0, offset);
    putNumber(pair, 12, length);
    return pair;
  });
  const blocks: Buffer[] = [];
  for (let first = 4; first < pairs.length; first += 21) {
    const block = Buffer.alloc(512);
    Buffer.concat(pairs.slice(first, first + 21)).copy(block);
    block[504] = first + 21 < pairs.length ? 1 : 0;
    blocks.push(block);
  }
  const patch = (header: Buffer): void => {
    Buffer.concat(pairs.slice(0, 4)).copy(header, 386);
    header[482] = pairs.length > 4 ? 1 : 0;
    putNumber(header, 483, size);
  };
  const [header, content] = split(tarEntry({ name, type: 'S', format: 'gnu', patch }, data));
  return Buffer.concat([header, ...blocks, content]);
}

function pax00({ size, regions, data }: SparseContent, name: string): Buffer {
  const pairs = regions.flatMap(([offset, length]): [string, string][] => [
    ['GNU.sparse.offset', String(offset)],
    ['GNU.sparse.numbytes', String(length)],
  ]);
  const version: [string, string][] =
    pairs.length === 0
      ? [
          ['GNU.sparse.major', '0'],
          ['GNU.sparse.minor', '0'],
        ]
      : [];
  const pax = paxHeader([
    ['GNU.sparse.size', String(size)],
    ['GNU.sparse.numblocks', String(regions.length)],
    ...version,
    ...pairs,
  ]);
  return Buffer.concat([pax, tarEntry({ name }, data)]);
}

function pax01({ size, regions, data }: SparseContent, name: string): Buffer {
  const pax = paxHeader([
    ['GNU.sparse.major', '0'],
    ['GNU.sparse.minor', '1'],
    ['GNU.sparse.size', String(size)],
    ['GNU.sparse.numblocks', String(regions.length)],
    ['GNU.sparse.name', name],
    ['GNU.sparse.map', regions.flat().join(',')],
  ]);
  return Buffer.concat([pax, tarEntry({ name: 'GNUSparseFile.0/f' }, data)]);
}

function pax10({ size, regions, data }: SparseContent, name: string): Buffer {
  const pax = paxHeader([
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', name],
    ['GNU.sparse.realsize', String(size)],
  ]);
  const text = [regions.length, ...regions.flat()].map((number) => `${number}\n`).join('');
  const map = Buffer.alloc(512 * Math.ceil(text.length / 512));
  map.write(text, 'latin1');
  return Buffer.concat([pax, tarEntry({ name: 'GNUSparseFile.0/f' }, Buffer.concat([map, data]))]);
}

function split(entry: Buffer): [Buffer, Buffer] {
  return [entry.subarray(0, 512), entry.subarray(512)];
}

/** Octal, or base-256 for what needs more than 11 digits. */
function putNumber(block: Buffer, offset: number, value: number): void {
  if (value >= 8 ** 11) putBase256(block, offset, 12, BigInt(value));
  else block.write(`${value.toString(8).padStart(11, '0')}\0`, offset, 'latin1');
}

/** Data at the beginning, with holes between it, and none at the end. */
export const SPARSE_FILE: SparseContent = sparseFile(100_000, [
  [0, 10],
  [5000, 700],
  [50_000, 513],
  [100_000, 0],
]);
