import { isUtf8 } from 'node:buffer';
import type { ObjectId } from '../fsverity/object-id.js';
import { SplitStreamError } from './format.js';
import type { RefTable } from './ref-table.js';

/** The section of most streams, those of layers, which name nothing: what the encoder makes of no bytes. */
export const NO_NAMED_REFS: Buffer = Buffer.from('28b52ffd2000010000', 'hex');

/**
 * The named refs section before it is compressed (spec 30 §2.3): for each name, in ascending order of its UTF-8 bytes,
 * `{index}:{name}` and a NUL. The index is that of a stream ref.
 */
export function formatNamedRefs(indexes: ReadonlyMap<string, number>): Buffer {
  const records = Array.from(indexes, ([name, index]) => ({ name: Buffer.from(name, 'utf8'), index }));
  records.sort((a, b) => Buffer.compare(a.name, b.name));
  return Buffer.concat(records.flatMap(({ name, index }) => [Buffer.from(`${index}:`), name, Buffer.of(0)]));
}

/** Of a name that occurs twice the last record counts. Names may be empty and may contain colons (spec 30 §4.2). */
export function parseNamedRefs(text: Buffer, streamRefs: RefTable): Map<string, ObjectId> {
  if (!isUtf8(text)) throw new SplitStreamError('Named reference is not valid UTF-8');
  const refs = new Map<string, ObjectId>();
  let start = 0;
  for (let end = text.indexOf(0); end >= 0; end = text.indexOf(0, start)) {
    const colon = text.indexOf(':', start);
    if (colon < 0 || colon > end) throw new SplitStreamError("Named reference doesn't contain a colon");
    const id = streamRefs.get(parseIndex(text.toString('latin1', start, colon)));
    if (id === undefined) throw new SplitStreamError('Named reference out of bounds');
    refs.set(text.toString('utf8', colon + 1, end), id);
    start = end + 1;
  }
  if (start !== text.length) throw new SplitStreamError('Trailing junk in named references section');
  return refs;
}

/** An unsigned 64-bit decimal; what is too large to be exact here is out of bounds anyway. */
function parseIndex(text: string): number {
  const digits = /^\+?0*([0-9]{1,20})$/.exec(text)?.[1];
  if (digits === undefined || BigInt(digits) >= 2n ** 64n) {
    throw new SplitStreamError('Named reference contains a non-integer index');
  }
  return Number(digits);
}
