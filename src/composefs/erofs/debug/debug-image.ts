import { ComposefsError } from '../../../errors.js';
import { ErofsImage } from '../reader/image.js';
import { hexdump, relativeOffset } from './hexdump.js';
import { collectSegments, type Segment } from './segments.js';
import { absoluteOffset, showSegment } from './show-segment.js';

/** Strings end at half a gigabyte. */
const OUTPUT_MAX: number = 2 ** 28;

/**
 * Everything in an image as text, for people and for `diff` (spec 20 §13). The image need not be one of composefs.
 *
 * @throws ErofsReaderError if it cannot be walked; ComposefsError `OUTPUT_TOO_LARGE` beyond 256 MiB of text, which
 *   {@link debugImageText} has no trouble with.
 */
export function debugImage(image: Buffer): string {
  const pieces: string[] = [];
  let length = 0;
  for (const piece of debugImageText(image)) {
    length += piece.length;
    if (length > OUTPUT_MAX) throw new ComposefsError('OUTPUT_TOO_LARGE', 'the dump of the image exceeds 256 MiB');
    pieces.push(piece);
  }
  return pieces.join('');
}

/** {@link debugImage} in pieces. */
export function* debugImageText(bytes: Buffer): Generator<string> {
  const image = ErofsImage.open(bytes);
  const statistics = new Statistics();
  let offset = 0;
  let last = '';
  for (const segment of collectSegments(image)) {
    const { kind } = segment.content;
    if (segment.offset > offset) {
      yield* dumpUnassigned(bytes.subarray(offset, segment.offset), offset);
      statistics.addPadding(last, kind, segment.offset - offset);
    } else if (segment.offset < offset) {
      yield '*** Overlapping segments!\n\n';
    }
    yield* showSegment(image, segment);
    statistics.addSegment(segment);
    offset = segment.offset + segment.size;
    last = kind;
  }
  if (offset < bytes.length) {
    yield* dumpUnassigned(bytes.subarray(offset), offset);
    yield '\n';
    statistics.addPadding(last, 'eof', bytes.length - offset);
  } else if (offset > bytes.length) {
    yield '*** Segments past EOF!\n';
  }
  yield* statistics.show(bytes.length);
}

/** A part of an image that nothing refers to. */
export function* dumpUnassigned(bytes: Buffer, offset: number): Generator<string> {
  if (bytes.every((byte) => byte === 0)) {
    yield `${absoluteOffset(offset)} Padding\n${relativeOffset(bytes.length)}     # ${bytes.length} nul bytes\n`;
  } else {
    yield `${absoluteOffset(offset)} Unknown content\n`;
    yield* hexdump(bytes, 0);
  }
  yield '\n';
}

class Statistics {
  readonly #segments = new Map<string, number>();
  readonly #padding = new Map<string, number>();

  addSegment({ content, size }: Segment): void {
    this.#segments.set(content.kind, (this.#segments.get(content.kind) ?? 0) + size);
  }

  addPadding(from: string, to: string, size: number): void {
    const key = `${from}\0${to}`;
    this.#padding.set(key, (this.#padding.get(key) ?? 0) + size);
  }

  *show(total: number): Generator<string> {
    yield `Space statistics (total size ${total}B):\n`;
    for (const [kind, size] of sorted(this.#segments)) yield `  ${kind} = ${size}B, ${percent(size, total)}%\n`;
    for (const [key, size] of sorted(this.#padding)) {
      yield `  padding ${key.replace('\0', ' -> ')} = ${size}B, ${percent(size, total)}%\n`;
    }
  }
}

function sorted(sizes: ReadonlyMap<string, number>): [string, number][] {
  return [...sizes].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Two decimals, ties to even as in Rust: `toFixed` rounds them up. */
function percent(size: number, total: number): string {
  const value = (100 * size) / total;
  // Only odd eighths lie exactly between two hundredths.
  const isTie = Number.isInteger(value * 8) && (value * 8) % 2 === 1;
  const hundredths = Math.floor(value * 100);
  return isTie && hundredths % 2 === 0 ? (hundredths / 100).toFixed(2) : value.toFixed(2);
}
