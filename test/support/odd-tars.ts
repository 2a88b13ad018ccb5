import fc from 'fast-check';
import { sparseFile, sparseTars } from './sparse-tars.js';
import {
  fixChecksum,
  gnuLongLink,
  gnuLongName,
  paxHeader,
  putBase256,
  type TarFields,
  tarDirectory,
  tarEntry,
  tarFile,
  tarHeader,
} from './tar-builder.js';

/** Random tars as strange writers make them: each entry has a path of its own, so that all that counts is how it is read. */

/** How a number of a header is written. */
const NUMBERS: readonly ((header: Buffer, offset: number, length: number, value: number) => void)[] = [
  (header, offset, length, value) => {
    header.fill(0, offset, offset + length).write(value.toString(8).padStart(length - 1, '0'), offset);
  },
  (header, offset, length, value) => {
    header.write(value.toString(8).padStart(length, '0'), offset);
  },
  (header, offset, length, value) => {
    header.write(`${value.toString(8).padStart(length - 1, ' ')} `, offset);
  },
  (header, offset, length, value) => putBase256(header.fill(0, offset, offset + length), offset, length, BigInt(value)),
  (header, offset, length, value) => {
    header.fill(0, offset, offset + length).write(value.toString(8), offset + 1);
  },
];

const FIELDS = [
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
] as const;

const MAGICS = ['ustar\x0000', 'ustar\0\0\0', 'ustar\0  ', 'ustar  \0', 'ustar \0\0', '\0\0\0\0\0\0\0\0'];

const CONTENT_SIZES = [0, 1, 5, 64, 65, 511, 512, 513, 3000];

/** Records that leave the entry where it is, and of the size that it has. */
const RECORDS: readonly (readonly [string, string])[] = [
  ['mtime', '12.5'],
  ['mtime', '-3.25'],
  ['mtime', ''],
  ['uid', '77'],
  ['uid', ''],
  ['gid', '88'],
  ['gid', ''],
  ['size', ''],
  ['path', ''],
  ['linkpath', ''],
  ['uname', ''],
  ['comment', 'x'.repeat(600)],
  ['SCHILY.xattr.user.a', 'v'],
  ['GNU.sparse.major', '0'],
];

interface OddEntry {
  readonly type: string;
  readonly magic: string;
  readonly size: number;
  readonly wrongSize: number;
  readonly numbers: readonly number[];
  readonly prefix: boolean;
  readonly long: 'none' | 'gnu' | 'pax';
  readonly nuls: number;
  readonly records: readonly number[];
  readonly twice: boolean;
  readonly signed: boolean;
}

function mostly<T>(usual: T, odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: odd });
}

const oddEntry: fc.Arbitrary<OddEntry> = fc.record({
  type: fc.constantFrom('0', '0', '\0', '/', '1', '2', '3', '4', '5', '6', '7'),
  magic: mostly(MAGICS[0] ?? '', fc.constantFrom(...MAGICS)),
  size: fc.constantFrom(...CONTENT_SIZES),
  wrongSize: mostly(0, fc.constantFrom(7, 600)),
  numbers: mostly<number[]>(
    [0, 0, 0, 0, 0],
    fc.array(fc.nat(NUMBERS.length - 1), { minLength: FIELDS.length, maxLength: FIELDS.length }),
  ),
  prefix: fc.boolean(),
  long: mostly<OddEntry['long']>('none', fc.constantFrom('gnu', 'pax')),
  nuls: mostly(1, fc.integer({ min: 0, max: 3 })),
  records: mostly<number[]>([], fc.array(fc.nat(RECORDS.length - 1), { maxLength: 3 })),
  twice: mostly(false, fc.constant(true)),
  signed: mostly(false, fc.constant(true)),
});

const sparse = fc.record({
  format: fc.constantFrom('pax00', 'pax01', 'pax10'),
  gaps: fc.array(fc.tuple(fc.nat(1000), fc.nat(700)), { maxLength: 30 }),
  end: fc.nat(2000),
});

/** Ends that all readers take. */
const ENDS: readonly ((tar: Buffer) => Buffer)[] = [
  (tar) => Buffer.concat([tar, Buffer.alloc(1024)]),
  (tar) => tar,
  (tar) => Buffer.concat([tar, Buffer.alloc(512)]),
  (tar) => Buffer.concat([tar, Buffer.alloc(1024), Buffer.from('junk')]),
  (tar) => Buffer.concat([tar, tarHeader({ name: 'd/last', size: 5 }), Buffer.from('hello')]),
  (tar) => Buffer.concat([tar, tarHeader({ name: 'd/last', size: 100 }), Buffer.alloc(100, 1)]),
];

/** @param withSparse - sparse files of the PAX formats among the entries. */
export function oddTars(withSparse: boolean): fc.Arbitrary<Buffer> {
  const entry = oddEntry.map((odd) => (index: number) => makeEntry(odd, index));
  const sparseEntry = sparse.map(({ format, gaps, end }) => (index: number) => {
    let position = 0;
    const regions = gaps.map(([gap, length]): [number, number] => {
      const offset = position + gap;
      position = offset + length;
      return [offset, length];
    });
    const tars = sparseTars(sparseFile(position + end, regions), `d/${index}`);
    return tars[format as keyof typeof tars];
  });
  const any = withSparse ? fc.oneof({ weight: 5, arbitrary: entry }, { weight: 1, arbitrary: sparseEntry }) : entry;
  return fc.tuple(fc.array(any, { minLength: 1, maxLength: 5 }), fc.constantFrom(...ENDS)).map(([entries, end]) => {
    const base = [tarDirectory('usr/'), tarDirectory('d/'), tarDirectory('d/p/'), tarFile('d/target', 'target')];
    return end(Buffer.concat([...base, ...entries.map((make, index) => make(index))]));
  });
}

function makeEntry(odd: OddEntry, index: number): Buffer {
  const { type, magic, size, wrongSize, prefix, long, nuls, twice, signed } = odd;
  const isOldDirectory = type === '/';
  const isFile = type === '0' || type === '\0' || type === '7';
  const name = `${prefix ? '' : 'd/'}${index}${signed ? '\xe9' : ''}${isOldDirectory ? '/' : ''}`;
  const isDevice = type === '3' || type === '4';
  const data = isFile ? Buffer.alloc(size, 0x61 + index) : Buffer.alloc(0);
  const values = [type === '2' ? 0o777 : 0o644, 0, 0, isFile ? size : wrongSize, 0];
  const patch = (header: Buffer): void => {
    // Headers of no known format have no device numbers.
    header.write(isDevice && !magic.startsWith('ustar\0') ? 'ustar  \0' : magic, 257, 'latin1');
    for (const [field, [offset, length]] of FIELDS.entries()) {
      NUMBERS[odd.numbers[field] ?? 0]?.(header, offset, length, values[field] ?? 0);
    }
  };
  const fields: TarFields = {
    name: Buffer.from(name, 'latin1'),
    type: isOldDirectory ? '\0' : type,
    linkname: type === '1' ? 'd/target' : type === '2' ? 'short' : '',
    prefix: prefix ? 'd/p' : '',
    ...(isDevice ? { major: 1, minor: 3 } : {}),
    patch,
  };
  const entry = tarEntry(fields, data);
  if (signed) fixChecksum(entry, signedSum(entry));
  // Metadata of a hard link is that of its target.
  const records = type === '1' ? [] : odd.records.flatMap((record) => [RECORDS[record] ?? (['comment', ''] as const)]);
  const path = `d/${'n'.repeat(120)}${index}${isOldDirectory ? '/' : ''}`;
  const pax = paxHeader([...records, ...(long === 'pax' ? [['path', path] as const] : [])]);
  const extensions = [
    ...(twice ? [paxHeader([['uid', '99']]), gnuLongName('d/first')] : []),
    ...(twice || records.length > 0 || long === 'pax' ? [pax] : []),
    ...(long === 'gnu' || twice ? [gnuLongName(`${long === 'pax' ? path : `d/l${index}`}${'\0'.repeat(nuls)}`)] : []),
    ...(type === '2' && long === 'gnu' ? [gnuLongLink(`long${'\0'.repeat(nuls)}`)] : []),
  ];
  return Buffer.concat([...extensions, entry]);
}

function signedSum(header: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += header.readInt8(i);
  return sum;
}
