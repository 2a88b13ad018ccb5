import { BackwardBits, corrupt } from './bits.js';
import { buildFseTable, constantTable, type FseTable, nextState, readFseTable } from './fse.js';

/** How the codes of literal lengths, match lengths or offsets are coded (RFC 8878 §3.1.1.3.2). */
interface CodeKind {
  readonly accuracyLog: number;
  readonly symbols: number;
  readonly predefined: FseTable;
}

const LITERAL_LENGTHS: CodeKind = {
  accuracyLog: 9,
  symbols: 36,
  predefined: buildFseTable(
    [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1],
    6,
  ),
};
const OFFSETS: CodeKind = {
  accuracyLog: 8,
  symbols: 32,
  predefined: buildFseTable(
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
    5,
  ),
};
const MATCH_LENGTHS: CodeKind = {
  accuracyLog: 9,
  symbols: 53,
  predefined: buildFseTable(
    [
      1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
    6,
  ),
};

const LITERAL_EXTRA_BITS = extraBits(16, [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const LITERAL_BASES = bases(0, LITERAL_EXTRA_BITS);
const MATCH_EXTRA_BITS = extraBits(32, [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const MATCH_BASES = bases(3, MATCH_EXTRA_BITS);

function extraBits(without: number, rest: readonly number[]): Uint8Array {
  return Uint8Array.from([...new Array<number>(without).fill(0), ...rest]);
}

/** Each code covers `2 ** extraBits` values, beginning behind those of the code before. */
function bases(first: number, bits: Uint8Array): Uint32Array {
  let base = first;
  return Uint32Array.from(bits, (count) => {
    const own = base;
    base += 1 << count;
    return own;
  });
}

/** The tables of the block before, which a block may use again. */
export class SequenceTables {
  literalLengths: FseTable | undefined;
  offsets: FseTable | undefined;
  matchLengths: FseTable | undefined;
}

/** Called for each sequence. `offsetValue` is what the format calls so: 1 to 3 are repeated offsets. */
export type OnSequence = (literals: number, offsetValue: number, match: number) => void;

/** Decodes the sequences section from `start` to `end` (RFC 8878 §3.1.1.3.2). */
export function decodeSequences(
  data: Uint8Array,
  start: number,
  end: number,
  tables: SequenceTables,
  onSequence: OnSequence,
): void {
  if (start >= end) throw corrupt('sequences section is missing');
  let at = start;
  let count = data[at++] ?? 0;
  if (count === 255) {
    count = (data[at] ?? 0) + ((data[at + 1] ?? 0) << 8) + 0x7f00;
    at += 2;
  } else if (count > 127) {
    count = ((count - 128) << 8) + (data[at++] ?? 0);
  }
  if (count === 0) {
    if (at !== end) throw corrupt('data after an empty sequences section');
    return;
  }
  const modes = data[at++] ?? 0;
  if ((modes & 3) !== 0 || at > end) throw corrupt('sequences section is damaged');
  const readTable = (kind: CodeKind, mode: number, previous: FseTable | undefined): FseTable => {
    if (mode === 0) return kind.predefined;
    if (mode === 3) {
      if (previous === undefined) throw corrupt('there is no table to repeat');
      return previous;
    }
    if (mode === 1) {
      const symbol = data[at++] ?? 0;
      if (symbol >= kind.symbols || at > end) throw corrupt('sequence code is out of range');
      return constantTable(symbol);
    }
    const read = readFseTable(data, at, end, kind);
    at = read.end;
    return read.table;
  };
  const literalLengths = readTable(LITERAL_LENGTHS, modes >> 6, tables.literalLengths);
  const offsets = readTable(OFFSETS, (modes >> 4) & 3, tables.offsets);
  const matchLengths = readTable(MATCH_LENGTHS, (modes >> 2) & 3, tables.matchLengths);
  Object.assign(tables, { literalLengths, offsets, matchLengths });

  const bits = new BackwardBits(data, at, end);
  let literalState = bits.read(literalLengths.accuracyLog);
  let offsetState = bits.read(offsets.accuracyLog);
  let matchState = bits.read(matchLengths.accuracyLog);
  for (let left = count; left > 0; left--) {
    const literalCode = literalLengths.symbols[literalState] ?? 0;
    const offsetCode = offsets.symbols[offsetState] ?? 0;
    const matchCode = matchLengths.symbols[matchState] ?? 0;
    const offsetValue = 2 ** offsetCode + bits.read(offsetCode);
    const match = (MATCH_BASES[matchCode] ?? 0) + bits.read(MATCH_EXTRA_BITS[matchCode] ?? 0);
    const literals = (LITERAL_BASES[literalCode] ?? 0) + bits.read(LITERAL_EXTRA_BITS[literalCode] ?? 0);
    if (left > 1) {
      literalState = nextState(literalLengths, literalState, bits);
      matchState = nextState(matchLengths, matchState, bits);
      offsetState = nextState(offsets, offsetState, bits);
    }
    if (bits.remaining < 0) throw corrupt('sequences are truncated');
    onSequence(literals, offsetValue, match);
  }
  if (bits.remaining !== 0) throw corrupt('sequences have the wrong length');
}
