import { BackwardBits, corrupt } from './bits.js';
import { nextState, readFseTable } from './fse.js';

const MAX_BITS = 11;

/** A Huffman decoding table (RFC 8878 §4.2): indexed by the next `maxBits` bits. */
export interface HuffmanTable {
  readonly maxBits: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
}

/** Reads a tree description that starts at `start`; `end` bounds what may be read. */
export function readHuffmanTable(
  data: Uint8Array,
  start: number,
  end: number,
): { readonly table: HuffmanTable; readonly end: number } {
  const header = data[start] ?? 0;
  const isFse = header < 128;
  const weightsEnd = start + 1 + (isFse ? header : (header - 127 + 1) >> 1);
  if (weightsEnd > end) throw corrupt('Huffman table is truncated');
  const weights = isFse ? readFseWeights(data, start + 1, weightsEnd) : readPlainWeights(data, start + 1, header - 127);
  return { table: buildHuffmanTable(weights), end: weightsEnd };
}

function readPlainWeights(data: Uint8Array, start: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const byte = data[start + (i >> 1)] ?? 0;
    return i % 2 === 0 ? byte >> 4 : byte & 15;
  });
}

/** Two interleaved states; the stream ends when one of them wants more bits than there are. */
function readFseWeights(data: Uint8Array, start: number, end: number): number[] {
  const { table, end: streamStart } = readFseTable(data, start, end, { accuracyLog: 6, symbols: MAX_BITS + 1 });
  const bits = new BackwardBits(data, streamStart, end);
  const weights: number[] = [];
  let current = bits.read(table.accuracyLog);
  let other = bits.read(table.accuracyLog);
  if (bits.remaining < 0) throw corrupt('Huffman weights are truncated');
  // Bounded, since a table of one symbol takes no bits at all.
  while (weights.length < 255) {
    weights.push(table.symbols[current] ?? 0);
    const next = nextState(table, current, bits);
    if (bits.remaining < 0) {
      weights.push(table.symbols[other] ?? 0);
      return weights;
    }
    current = other;
    other = next;
  }
  throw corrupt('too many Huffman weights');
}

/** The weight of the last symbol is not written: it is what makes the sum a power of two. */
function buildHuffmanTable(weights: number[]): HuffmanTable {
  let sum = 0;
  for (const weight of weights) {
    if (weight > MAX_BITS) throw corrupt('Huffman weight is too large');
    if (weight > 0) sum += 1 << (weight - 1);
  }
  if (sum === 0 || weights.length > 255) throw corrupt('Huffman table is damaged');
  const maxBits = 32 - Math.clz32(sum);
  const rest = (1 << maxBits) - sum;
  if (maxBits > MAX_BITS || (rest & (rest - 1)) !== 0) throw corrupt('Huffman weights do not add up');
  weights.push(32 - Math.clz32(rest));

  const symbols = new Uint8Array(1 << maxBits);
  const bits = new Uint8Array(1 << maxBits);
  let position = 0;
  for (let weight = 1; weight <= maxBits; weight++) {
    for (const [symbol, own] of weights.entries()) {
      if (own !== weight) continue;
      const end = position + (1 << (weight - 1));
      symbols.fill(symbol, position, end);
      bits.fill(maxBits + 1 - weight, position, end);
      position = end;
    }
  }
  return { maxBits, symbols, bits };
}

/** Decodes one stream, which must give exactly the bytes of `output`. */
export function decodeHuffman(
  table: HuffmanTable,
  data: Uint8Array,
  start: number,
  end: number,
  output: Uint8Array,
): void {
  const stream = new BackwardBits(data, start, end);
  for (let i = 0; i < output.length; i++) {
    const code = stream.peek(table.maxBits);
    output[i] = table.symbols[code] ?? 0;
    stream.remaining -= table.bits[code] ?? 0;
  }
  if (stream.remaining !== 0) throw corrupt('Huffman stream has the wrong length');
}
