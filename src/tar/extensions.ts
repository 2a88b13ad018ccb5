import { type ByteString, byteStringFrom } from '../bytes/byte-string.js';
import { ENTRY_TYPE } from './entry-type.js';
import { type TarDifference, type TarRules, untilNul } from './header.js';
import { type PaxRecords, parsePaxRecords } from './pax.js';

/** What the extension headers before an entry say of it. */
export interface Extensions {
  readonly pax?: PaxRecords;
  readonly longName?: ByteString;
  readonly longLink?: ByteString;
  readonly differences: readonly TarDifference[];
}

export const NO_EXTENSIONS: Extensions = { differences: [] };

type LongTextType = typeof ENTRY_TYPE.GNU_LONG_NAME | typeof ENTRY_TYPE.GNU_LONG_LINK;
export type ExtensionType = LongTextType | typeof ENTRY_TYPE.PAX_EXTENDED;

export function isExtensionType(type: number): type is ExtensionType {
  return type === ENTRY_TYPE.GNU_LONG_NAME || type === ENTRY_TYPE.GNU_LONG_LINK || type === ENTRY_TYPE.PAX_EXTENDED;
}

/**
 * @param data - of each header, by its type
 * @throws ParseFailure
 */
export function parseExtensions(data: ReadonlyMap<ExtensionType, Buffer>, rules: TarRules): Extensions {
  const paxData = data.get(ENTRY_TYPE.PAX_EXTENDED);
  const pax = paxData === undefined ? undefined : parsePaxRecords(paxData, rules);
  const differences = [...(pax?.differences ?? [])];
  const longName = longText(data.get(ENTRY_TYPE.GNU_LONG_NAME), rules, differences);
  const longLink = longText(data.get(ENTRY_TYPE.GNU_LONG_LINK), rules, differences);
  return {
    ...(pax !== undefined && { pax }),
    ...(longName !== undefined && { longName }),
    ...(longLink !== undefined && { longLink }),
    differences,
  };
}

/** GNU long names end at their first NUL; nothing counts as none. The reference drops a single NUL at the end. */
function longText(data: Buffer | undefined, rules: TarRules, differences: TarDifference[]): ByteString | undefined {
  if (data === undefined) return undefined;
  const referenceText = byteStringFrom(data[data.length - 1] === 0 ? data.subarray(0, -1) : data);
  if (rules === 'reference') return referenceText;
  const text = untilNul(data);
  if (text !== referenceText || text === '') differences.push('long-text');
  return text === '' ? undefined : text;
}
