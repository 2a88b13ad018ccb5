import fc from 'fast-check';
import { type ByteString, byteStringToBuffer } from '../../src/bytes/byte-string.js';
import type { LeafContent } from '../../src/composefs/tree/inode.js';
import { NO_XATTRS, type Stat } from '../../src/composefs/tree/stat.js';
import { makeAbsolute, type TarEntry, type TarItem } from '../../src/oci/layer/tar-entry.js';
import { paxHeader, tarArchive, tarEntry } from './tar-builder.js';

/** Random layers whose entries meet each other often, and the tars of layers. */

export type OddLayer = readonly TarEntry[];

export interface OddLayersOptions {
  readonly maxLayers: number;
  /** Of each layer; then there is one at least. */
  readonly minEntries?: number;
  readonly maxEntries: number;
  /** All kinds of files and metadata; else small text files with a mode and a time of their own. */
  readonly rich: boolean;
}

const NAMES = ['a', 'b', 'c'];
const WHITEOUTS = [...NAMES.map((name) => `.wh.${name}`), '.wh..wh..opq'];
/** `cap_net_raw+ep`, in the form of the kernel's version 2. */
const CAPABILITY = '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0' as ByteString;

/**
 * Layers with whiteouts, opaque markers, parents that are missing, symlinks or files, `..`, hard links, and entries that
 * replace each other.
 */
export function oddLayers(options: OddLayersOptions): fc.Arbitrary<OddLayer[]> {
  const component = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...NAMES) },
    { weight: 1, arbitrary: fc.constantFrom('', '.', '..') },
  );
  const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/') as ByteString);
  const target = fc.oneof(
    path,
    path.map((each) => `/${each}` as ByteString),
  );
  const whiteout = fc.constantFrom(...WHITEOUTS) as fc.Arbitrary<ByteString>;
  const entry = (at: fc.Arbitrary<ByteString>, item: fc.Arbitrary<TarItem>): fc.Arbitrary<TarEntry> =>
    fc.tuple(at, item, metadata(options.rich)).map(([path, item, stat]) => ({
      path: makeAbsolute(path),
      item,
      stat: fitting(item, stat),
    }));
  const leaf = (content: fc.Arbitrary<LeafContent>): fc.Arbitrary<TarItem> =>
    content.map((content) => ({ type: 'leaf', content }));
  const regular = leaf(fc.string({ maxLength: options.rich ? 100 : 2 }).map(regularContent));
  const special = leaf(
    fc.constantFrom<LeafContent>(
      { type: 'fifo' },
      { type: 'character-device', rdev: 0x103 },
      { type: 'block-device', rdev: 0x800 },
    ),
  );
  const each = fc.oneof(
    { weight: 3, arbitrary: entry(path, fc.constant<TarItem>({ type: 'directory' })) },
    { weight: 3, arbitrary: entry(path, regular) },
    { weight: 2, arbitrary: entry(path, leaf(target.map((to) => ({ type: 'symlink', target: to })))) },
    {
      weight: 2,
      arbitrary: entry(
        path,
        path.map((to): TarItem => ({ type: 'hardlink', target: makeAbsolute(to) })),
      ),
    },
    {
      weight: 2,
      arbitrary: entry(
        fc.tuple(path, whiteout).map(([at, wh]) => `${at}/${wh}` as ByteString),
        leaf(fc.constant(regularContent(''))),
      ),
    },
    { weight: 1, arbitrary: entry(whiteout, leaf(fc.constant(regularContent('')))) },
    ...(options.rich ? [{ weight: 1, arbitrary: entry(path, special) }] : []),
  );
  const { minEntries = 0, maxEntries, maxLayers } = options;
  return fc.array(fc.array(each, { minLength: minEntries, maxLength: maxEntries }), {
    minLength: Math.min(1, minEntries),
    maxLength: maxLayers,
  });
}

function regularContent(text: string): LeafContent {
  return { type: 'regular', file: { storage: 'inline', data: Buffer.from(text) } };
}

function metadata(isRich: boolean): fc.Arbitrary<Stat> {
  const mtimeSec = fc.integer({ min: 1, max: 9 });
  const plain = { mode: 0o755, uid: 0, gid: 0, mtimeNsec: 0, xattrs: NO_XATTRS };
  if (!isRich) return mtimeSec.map((mtimeSec) => ({ ...plain, mtimeSec }));
  return fc.record({
    mode: fc.constantFrom(0o755, 0o644, 0o600, 0o4755, 0o2711, 0o1777, 0),
    uid: fc.constantFrom(0, 1, 1000, 70_000),
    gid: fc.constantFrom(0, 5, 1000),
    mtimeSec: fc.integer({ min: 1, max: 1_500_000_000 }),
    mtimeNsec: fc.constantFrom(0, 0, 500_000_000, 123_456_789),
    xattrs: fc
      .subarray([
        ['user.k' as ByteString, 'v' as ByteString],
        ['user.empty\xc3\xa4' as ByteString, '\0\xff' as ByteString],
        ['security.capability' as ByteString, CAPABILITY],
      ] as [ByteString, ByteString][])
      .map((pairs) => (pairs.length === 0 ? NO_XATTRS : new Map(pairs))),
  });
}

/**
 * What a file system can keep: `user.*` of files and directories only, capabilities of files, links all 0777. A set-group-id
 * bit of a directory would concern what is made in it without an entry.
 */
function fitting(item: TarItem, stat: Stat): Stat {
  const type = item.type === 'leaf' ? item.content.type : item.type;
  if (type === 'regular') return stat;
  const xattrs = new Map([...stat.xattrs].filter(([name]) => type === 'directory' && name.startsWith('user.')));
  return { ...stat, xattrs, mode: type === 'symlink' ? 0o777 : type === 'directory' ? stat.mode & ~0o2000 : stat.mode };
}

/** The tar of a layer. Paths are written as they are, without the leading slash. */
export function layerTar(layer: OddLayer): Buffer {
  return tarArchive(layer.flatMap((entry) => entryParts(entry)));
}

function entryParts({ path, stat, item }: TarEntry): Buffer[] {
  const { mode, uid, gid, mtimeSec, mtimeNsec, xattrs } = stat;
  const fields = { mode, uid, gid, mtime: mtimeSec, name: byteStringToBuffer(path).subarray(1) };
  const records: [string, Buffer | string][] = [...xattrs].map(([name, value]) => [
    `SCHILY.xattr.${byteStringToBuffer(name).toString()}`,
    byteStringToBuffer(value),
  ]);
  if (mtimeNsec !== 0) records.push(['mtime', `${mtimeSec}.${String(mtimeNsec).padStart(9, '0')}`]);
  const pax = records.length === 0 ? [] : [paxHeader(records)];
  return [...pax, itemPart(item, fields)];
}

function itemPart(item: TarItem, fields: { readonly name: Buffer; readonly mode: number }): Buffer {
  if (item.type === 'directory')
    return tarEntry({ ...fields, name: Buffer.concat([fields.name, Buffer.from('/')]), type: '5' });
  if (item.type === 'hardlink')
    return tarEntry({ ...fields, type: '1', linkname: byteStringToBuffer(item.target).subarray(1) });
  const { content } = item;
  switch (content.type) {
    case 'regular':
      if (content.file.storage !== 'inline') throw new Error('only small files');
      return tarEntry(fields, content.file.data);
    case 'symlink':
      return tarEntry({ ...fields, type: '2', linkname: byteStringToBuffer(content.target) });
    case 'fifo':
      return tarEntry({ ...fields, type: '6' });
    case 'socket':
      throw new Error('no tar has sockets');
    default: {
      const type = content.type === 'character-device' ? '3' : '4';
      return tarEntry({ ...fields, type, major: content.rdev >> 8, minor: content.rdev & 0xff });
    }
  }
}
