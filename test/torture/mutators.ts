import type { Random } from '../support/random.js';
import { fixChecksum, TAR_BLOCK } from '../support/tar-builder.js';

const INTERESTING: readonly number[] = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x1001, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
];

/** One to four changes of bytes: other bytes and bits, numbers at the edge, pieces moved, left out and doubled. */
export function mutateBytes(original: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let changes = random.between(1, 4); changes > 0 && bytes.length >= 8; changes--) {
    const at = placeIn(bytes, random);
    switch (random.below(9)) {
      case 0:
      case 1:
        bytes[at] = random.below(256);
        break;
      case 2:
      case 3:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 4:
        bytes.writeUInt32LE(random.pick(INTERESTING), Math.min(at - (at % 4), bytes.length - 4));
        break;
      case 5:
        bytes.writeBigUInt64LE(random.pick(BIG), Math.min(at - (at % 8), bytes.length - 8));
        break;
      case 6:
        bytes.copyWithin(random.below(bytes.length), at, Math.min(bytes.length, at + random.below(128)));
        break;
      case 7:
        bytes = cutOrDouble(bytes, at, random);
        break;
      default:
        if (random.chance(0.2)) bytes = bytes.subarray(0, at);
    }
  }
  return bytes;
}

const BIG: readonly bigint[] = [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];

function cutOrDouble(bytes: Buffer, at: number, random: Random): Buffer {
  const end = Math.min(bytes.length, at + 1 + random.below(64));
  const [before, piece, after] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)];
  return Buffer.concat(random.chance(0.5) ? [before, after] : [before, piece, piece, after]);
}

/** Mostly where something is: much of most formats is padding. */
function placeIn(bytes: Buffer, random: Random): number {
  for (let attempt = 0; attempt < 8; attempt++) {
    const at = random.below(bytes.length);
    if (bytes[at] !== 0) return at;
  }
  return random.below(bytes.length);
}

/** Changes headers of a tar, mostly with right checksums, moves and drops blocks, or changes any bytes. */
export function mutateTar(original: Buffer, random: Random): Buffer {
  if (random.chance(0.2)) return mutateBytes(original, random);
  let tar: Buffer = Buffer.from(original);
  for (let changes = random.between(1, 3); changes > 0 && tar.length >= TAR_BLOCK; changes--) {
    const block = TAR_BLOCK * random.below(Math.floor(tar.length / TAR_BLOCK));
    if (random.chance(0.15)) {
      tar = cutOrDoubleBlocks(tar, block, random);
      continue;
    }
    // Mostly in the numbers, the type and the magic.
    const at = block + random.pick([random.below(512), random.between(100, 160), random.between(257, 265)]);
    tar[at] = random.pick([random.below(256), 0, 0x20, 0x2f, 0x2e, 0x30 + random.below(8), 0x80, 0xff]);
    if (random.chance(0.8)) fixChecksum(tar.subarray(block, block + TAR_BLOCK));
  }
  return tar;
}

function cutOrDoubleBlocks(tar: Buffer, block: number, random: Random): Buffer {
  const end = block + TAR_BLOCK * random.between(1, 3);
  const [before, piece, after] = [tar.subarray(0, block), tar.subarray(block, end), tar.subarray(end)];
  return Buffer.concat(random.pick([[before, after], [before, piece, piece, after], [before]]));
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Values that programs trip over. */
function oddValue(random: Random): Json {
  return random.pick<() => Json>([
    () => null,
    () => true,
    () => 0,
    () => -1,
    () => 2 ** 53,
    () => 1e300,
    () => 0.5,
    () => '',
    () => 'x'.repeat(random.pick([1, 100, 100_000])),
    () => '\u0000',
    () => '../../../etc/passwd',
    () => '\u001b[31m\u202e\ud800',
    () => `sha256:${'0'.repeat(64)}`,
    () => 'sha512:abc',
    () => [],
    () => ({}),
    () => Array.from({ length: random.pick([1, 300]) }, () => ({ mediaType: 'x', digest: 'y', size: 1 })),
    () => nested(random.pick([3, 200, 5000])),
    () => ({ __proto__: 1, constructor: null, toString: 'x', '': '' }),
  ])();
}

function nested(depth: number): Json {
  let value: Json = 0;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** Replaces, removes, doubles and renames values of a JSON document, or changes its bytes. */
export function mutateJson(original: Buffer, random: Random): Buffer {
  if (random.chance(0.3)) return mutateBytes(original, random);
  const document: { root: Json } = { root: JSON.parse(original.toString('utf8')) };
  for (let changes = random.between(1, 3); changes > 0; changes--) {
    const holders = [...holdersIn(document)];
    const holder = random.pick(holders);
    if (Array.isArray(holder)) mutateArray(holder, random);
    else mutateObject(holder, random);
  }
  const text = JSON.stringify(document.root) ?? '';
  // The same key twice, which no object here can have.
  return Buffer.from(random.chance(0.05) ? text.replace(/^\{("[^"]*":)/, '{$1null,$1') : text);
}

function* holdersIn(value: Json): Generator<Json[] | { [key: string]: Json }> {
  const open: Json[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    yield next;
    open.push(...Object.values(next));
  }
}

function mutateArray(array: Json[], random: Random): void {
  const at = random.below(array.length + 1);
  const value = array[at];
  if (value === undefined || random.chance(0.3)) array.splice(at, 0, oddValue(random));
  else if (random.chance(0.5)) array[at] = oddValue(random);
  else array.splice(at, 1, ...(random.chance(0.5) ? [] : [value, structuredClone(value)]));
}

function mutateObject(object: { [key: string]: Json }, random: Random): void {
  const keys = Object.keys(object);
  const key = keys.length === 0 ? 'new' : random.pick(keys);
  const value = object[key] ?? null;
  const change = random.below(4);
  // The root has to stay.
  if (change === 0 && key !== 'root') delete object[key];
  else if (change === 1 && key !== 'root') object[key.toUpperCase()] = value;
  else object[key] = oddValue(random);
}

/** Doubles, drops and swaps lines, or changes bytes: for dumpfiles and configuration. */
export function mutateLines(original: Buffer, random: Random): Buffer {
  if (random.chance(0.6)) return mutateBytes(original, random);
  const lines = original.toString('latin1').split('\n');
  const at = random.below(lines.length);
  const line = lines[at] ?? '';
  const fields = line.split(' ');
  const field = random.below(fields.length);
  switch (random.below(4)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(random.below(lines.length), 0, line);
      break;
    case 2:
      fields[field] = random.pick(['-', '0', '-1', '99999999999999999999', '', '\\x00', '/..', '@40755', '=']);
      lines[at] = fields.join(' ');
      break;
    default:
      lines[at] = line.repeat(random.pick([2, 100]));
  }
  return Buffer.from(lines.join('\n'), 'latin1');
}
