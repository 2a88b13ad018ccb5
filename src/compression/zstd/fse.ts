import { type BackwardBits, corrupt } from './bits.js';

/** A decoding table of finite state entropy coding (RFC 8878 §4.1): what each state stands for and leads to. */
export interface FseTable {
  readonly accuracyLog: number;
  readonly symbols: Uint8Array;
  /** Bits to read for the next state … */
  readonly bits: Uint8Array;
  /** … which are added to this. */
  readonly bases: Uint16Array;
}

export function nextState(table: FseTable, state: number, bits: BackwardBits): number {
  return (table.bases[state] ?? 0) + bits.read(table.bits[state] ?? 0);
}

/** The table with one symbol, which takes no bits. */
export function constantTable(symbol: number): FseTable {
  return { accuracyLog: 0, symbols: Uint8Array.of(symbol), bits: Uint8Array.of(0), bases: Uint16Array.of(0) };
}

/**
 * The table of a distribution: `counts[symbol]` states of `2 ** accuracyLog` belong to a symbol; −1 is a probability
 * below 1, which gets one state at the end.
 */
export function buildFseTable(counts: readonly number[], accuracyLog: number): FseTable {
  const size = 1 << accuracyLog;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(counts.length);
  let high = size;
  for (const [symbol, count] of counts.entries()) {
    if (count === -1) symbols[--high] = symbol;
    next[symbol] = count === -1 ? 1 : count;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let position = 0;
  for (const [symbol, count] of counts.entries()) {
    for (let i = 0; i < count; i++) {
      symbols[position] = symbol;
      do position = (position + step) & (size - 1);
      while (position >= high && high > 0);
    }
  }
  const bits = new Uint8Array(size);
  const bases = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state] ?? 0;
    const rank = next[symbol] ?? 0;
    next[symbol] = rank + 1;
    const count = accuracyLog - (31 - Math.clz32(rank));
    bits[state] = count;
    bases[state] = (rank << count) - size;
  }
  return { accuracyLog, symbols, bits, bases };
}

/** Reads a table description (RFC 8878 §4.1.1) that starts at `start` and must end before `end`. */
export function readFseTable(
  data: Uint8Array,
  start: number,
  end: number,
  limits: { readonly accuracyLog: number; readonly symbols: number },
): { readonly table: FseTable; readonly end: number } {
  let bit = start * 8;
  const peek = (count: number): number => {
    const index = bit >>> 3;
    const word = (data[index] ?? 0) | ((data[index + 1] ?? 0) << 8) | ((data[index + 2] ?? 0) << 16);
    return (word >>> (bit & 7)) & ((1 << count) - 1);
  };
  const accuracyLog = peek(4) + 5;
  bit += 4;
  if (accuracyLog > limits.accuracyLog) throw corrupt('FSE accuracy is too high');
  const counts: number[] = [];
  let remaining = 1 << accuracyLog;
  while (remaining > 0) {
    if (counts.length >= limits.symbols || bit > end * 8) throw corrupt('FSE table has too many symbols');
    // A value from 0 to remaining + 1; the smaller ones take one bit less.
    const width = 32 - Math.clz32(remaining + 1);
    const short = (1 << width) - 1 - (remaining + 1);
    let value = peek(width);
    const low = value & ((1 << (width - 1)) - 1);
    if (low < short) {
      value = low;
      bit += width - 1;
    } else {
      if (value >= 1 << (width - 1)) value -= short;
      bit += width;
    }
    const count = value - 1;
    counts.push(count);
    remaining -= Math.abs(count);
    if (count !== 0) continue;
    for (let repeat = 3; repeat === 3; ) {
      repeat = peek(2);
      bit += 2;
      if (counts.length + repeat > limits.symbols || bit > end * 8) throw corrupt('FSE table has too many symbols');
      for (let i = 0; i < repeat; i++) counts.push(0);
    }
  }
  const tableEnd = (bit + 7) >>> 3;
  if (remaining !== 0 || tableEnd > end) throw corrupt('FSE table is damaged');
  return { table: buildFseTable(counts, accuracyLog), end: tableEnd };
}
