import { parseDecimal, readNumeric } from './numbers.js';
import { ParseFailure } from './tar-error.js';

/** A part of a sparse file that the tar has data for; in bytes. */
export interface SparseRegion {
  readonly offset: number;
  readonly length: number;
}

/**
 * A file with holes. The tar has the data of its regions, one after the other; whatever lies between them is zeros.
 */
export interface SparseFile {
  /** With the holes, in bytes. */
  readonly size: number;
  /** In order, without overlap, within `size`. */
  readonly regions: readonly SparseRegion[];
}

export function invalidMap(reason: string): ParseFailure {
  return new ParseFailure(`invalid map of a sparse file: ${reason}`);
}

/** Collects a map that is in blocks of its own. */
export interface SparseMapReader {
  /** Takes the next block. Returns whether it was the last one. */
  add(block: Buffer): boolean;
  readonly regions: readonly SparseRegion[];
}

/**
 * The map of old GNU headers (type `S`): pairs of 12-byte numbers, 4 in the header at 386 and 21 in each extension block;
 * a byte behind them says whether another block follows.
 */
export class GnuMapReader implements SparseMapReader {
  readonly regions: SparseRegion[] = [];

  /** Takes the pairs of the header. Returns whether they are all. */
  addHeader(block: Buffer): boolean {
    return this.#addPairs(block, 386, 4);
  }

  add(block: Buffer): boolean {
    return this.#addPairs(block, 0, 21);
  }

  /** @throws ParseFailure */
  #addPairs(block: Buffer, start: number, count: number): boolean {
    const end = start + count * 24;
    // An empty pair ends those of this block, not the map: as in GNU tar.
    for (let pair = start; pair < end && block[pair] !== 0; pair += 24) {
      const offset = safe(readNumeric(block, pair, pair + 12));
      this.regions.push({ offset, length: safe(readNumeric(block, pair + 12, pair + 24)) });
    }
    return block[end] === 0;
  }
}

/** More digits than any number that counts has. */
const MAX_LINE = 24;

/**
 * The map of PAX format 1.0, at the beginning of the data and padded to whole blocks: lines with a decimal number each,
 * first how many regions there are, then offset and length of each.
 */
export class PaxMapReader implements SparseMapReader {
  readonly regions: SparseRegion[] = [];
  /** The beginning of a line that a block ends in. */
  #line = '';
  #count: number | undefined;
  #offset: number | undefined;

  add(block: Buffer): boolean {
    const lines = (this.#line + block.toString('latin1')).split('\n');
    this.#line = lines.pop() ?? '';
    for (const line of lines) {
      this.#number(line);
      if (this.#isComplete()) return true;
    }
    if (this.#line.length > MAX_LINE) throw invalidMap('a line that is no number');
    return false;
  }

  #number(line: string): void {
    const value = decimal(line);
    if (this.#count === undefined) this.#count = value;
    else if (this.#offset === undefined) this.#offset = value;
    else {
      this.regions.push({ offset: this.#offset, length: value });
      this.#offset = undefined;
    }
  }

  #isComplete(): boolean {
    return this.#count === this.regions.length && this.#offset === undefined;
  }
}

/** The map of the PAX formats 0.0 and 0.1, with a comma between all numbers. */
export function parseSparseMap(map: string, count: string | undefined): SparseRegion[] {
  const numbers = map === '' ? [] : map.split(',').map(decimal);
  if (numbers.length !== 2 * decimal(count ?? '')) throw invalidMap(`${numbers.length} numbers, not twice ${count}`);
  const regions: SparseRegion[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    regions.push({ offset: numbers[i] ?? 0, length: numbers[i + 1] ?? 0 });
  }
  return regions;
}

/**
 * Checks that the regions are in order, within the file, and have exactly the data that the tar has.
 *
 * @param stored - bytes of data in the tar.
 * @throws ParseFailure
 */
export function checkSparseFile({ size, regions }: SparseFile, stored: number): void {
  let end = 0;
  let total = 0;
  for (const { offset, length } of regions) {
    if (offset < end) throw invalidMap(`a region at ${offset} begins before ${end}`);
    end = offset + length;
    total += length;
    if (end > size) throw invalidMap(`a region ends at ${end}, the file at ${size}`);
  }
  if (total !== stored) throw invalidMap(`${stored} bytes of data for regions of ${total}`);
}

function decimal(text: string): number {
  const value = parseDecimal(text);
  if (typeof value !== 'number') throw invalidMap(`${JSON.stringify(text.slice(0, MAX_LINE))} is no number`);
  return value;
}

function safe(value: number | bigint): number {
  if (typeof value === 'bigint' || value < 0) throw invalidMap(`${value} is out of range`);
  return value;
}
