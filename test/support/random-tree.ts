import fc from 'fast-check';
import { type ByteString, byteStringFrom } from '../../src/bytes/byte-string.js';
import { digestSize, type HashAlgorithm } from '../../src/composefs/fsverity/algorithm.js';
import { type ObjectId, objectIdFromBytes, objectPathname } from '../../src/composefs/fsverity/object-id.js';
import { Directory, isWhiteout, Leaf, type LeafContent } from '../../src/composefs/tree/inode.js';
import type { Stat, Xattrs } from '../../src/composefs/tree/stat.js';

/** What the trees may hold. The defaults survive the RS dumpfile form, and every image version. */
export interface RandomTreeOptions {
  readonly algorithm?: HashAlgorithm;
  /** Entries at most, before duplicates fall out. Default 24. */
  readonly maxEntries?: number;
  /** Bytes of inline content at most. Default 64; the RS dumpfile form takes 512, the C form 5000. */
  readonly inlineMax?: number;
  /** Bytes of symlink targets at most. Default 1024; the C form takes 4095. */
  readonly targetMax?: number;
  /** Size of external and sparse files at most. Default 2^42: one EROFS chunk. */
  readonly sizeMax?: number;
  readonly hardlinks?: boolean;
  readonly whiteouts?: boolean;
  readonly sparse?: boolean;
  /** Files that name an object and give no digest. Default false: the RS dumpfile form turns them into others. */
  readonly noVerity?: boolean;
  /** Seconds below zero. Default false: the RS dumpfile parser refuses them. */
  readonly negativeMtime?: boolean;
  /** Xattrs below `trusted.overlay.` that images have to escape. Default false. */
  readonly overlayXattrs?: boolean;
  /** Mtimes with nanoseconds. Default true; V2 images drop them. */
  readonly nanoseconds?: boolean;
}

type Settings = Required<RandomTreeOptions>;

const DEFAULTS: Settings = {
  algorithm: 'sha256',
  maxEntries: 24,
  inlineMax: 64,
  targetMax: 1024,
  sizeMax: 2 ** 42,
  hardlinks: true,
  whiteouts: true,
  sparse: true,
  noVerity: false,
  negativeMtime: false,
  overlayXattrs: false,
  nanoseconds: true,
};

type NodeSpec =
  | { readonly kind: 'directory'; readonly stat: Stat }
  | { readonly kind: 'leaf'; readonly stat: Stat; readonly content: LeafContent }
  | { readonly kind: 'hardlink'; readonly target: number };

interface EntrySpec {
  /** Taken modulo the number of directories so far. */
  readonly parent: number;
  readonly name: ByteString;
  readonly node: NodeSpec;
}

/** Trees of all inode types with odd names, xattrs, hard links and sizes around the thresholds. */
export function randomTree(options: RandomTreeOptions = {}): fc.Arbitrary<Directory> {
  const settings = { ...DEFAULTS, ...options };
  const entry = fc.record({ parent: fc.nat(1000), name: randomName(), node: randomNode(settings) });
  return fc
    .tuple(randomStat(settings), fc.array(entry, { maxLength: settings.maxEntries }))
    .map(([stat, entries]) => buildTree(stat, entries));
}

/** File names: 1 to 255 bytes without `/` and NUL, not `.` or `..`; with a taste for the awkward. */
export function randomName(): fc.Arbitrary<ByteString> {
  const special = [
    'a',
    'b',
    'a.txt',
    'a-b',
    'ab',
    '0f',
    '-',
    '--',
    '...',
    '..a',
    ' ',
    'a b',
    '=',
    'a=b',
    '\\',
    '\\x2f',
  ];
  const odd = ['\n', '\r', '\t', '\x01', '\x7f', '\x80', '\xff', '\xc3\xa9', '\xf0\x9f\x98\x80', '@', '.wh.a', '~'];
  return fc
    .oneof(
      { weight: 3, arbitrary: fc.constantFrom(...special, ...odd).map((name) => name as ByteString) },
      { weight: 3, arbitrary: randomBytes(1, 12, true) },
      { weight: 1, arbitrary: fc.constantFrom(31, 100, 254, 255).map((n) => 'n'.repeat(n) as ByteString) },
    )
    .filter((name) => name !== '.' && name !== '..' && !name.includes('/'));
}

export function randomStat(options: RandomTreeOptions = {}): fc.Arbitrary<Stat> {
  const settings = { ...DEFAULTS, ...options };
  const id = fc.oneof(fc.constantFrom(0, 1000, 65535, 65536, 0xffffffff), fc.nat(0xffffffff));
  const seconds = [0, 1, 1_633_950_376, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 33];
  const nanoseconds = settings.nanoseconds
    ? fc.oneof(fc.constantFrom(0, 1, 999_999_999), fc.nat(999_999_999))
    : fc.constant(0);
  return fc.record({
    mode: fc.oneof(fc.constantFrom(0, 0o644, 0o755, 0o777, 0o1777, 0o7777), fc.nat(0o7777)),
    uid: id,
    gid: id,
    mtimeSec: fc.constantFrom(...seconds, ...(settings.negativeMtime ? [-1, -(2 ** 31), -(2 ** 40)] : [])),
    mtimeNsec: nanoseconds,
    xattrs: randomXattrs(settings),
  });
}

/** Digests that are no file's: random bytes. */
export function randomObjectId(algorithm: HashAlgorithm): fc.Arbitrary<ObjectId> {
  const length = digestSize(algorithm);
  return fc.oneof(
    fc.uint8Array({ minLength: length, maxLength: length }).map(objectIdFromBytes),
    fc.nat(3).map((byte) => objectIdFromBytes(Buffer.alloc(length, byte))),
  );
}

function randomXattrs(settings: Settings): fc.Arbitrary<Xattrs> {
  const known = ['user.foo', 'user.bar', 'security.selinux', 'security.capability', 'system.posix_acl_access'];
  const more = ['trusted.foo', 'lustre.x', 'user.', 'other', 'user.a=b c', 'user.\xff\n', `user.${'k'.repeat(250)}`];
  const overlay = ['trusted.overlay.custom', 'trusted.overlay.overlay.custom', 'trusted.overlay.redirect'];
  const name = fc
    .constantFrom(...known, ...more, ...(settings.overlayXattrs ? overlay : []))
    .map((text) => text as ByteString);
  const value = fc.oneof(
    fc
      .constantFrom('', '-', '=', 'system_u:object_r:etc_t:s0\0', '\\', 'v'.repeat(300))
      .map((text) => text as ByteString),
    randomBytes(0, 40, false),
  );
  return fc.array(fc.tuple(name, value), { maxLength: 4 }).map((pairs) => new Map(pairs));
}

function randomNode(settings: Settings): fc.Arbitrary<NodeSpec> {
  const stat = randomStat(settings);
  const nodes: fc.WeightedArbitrary<NodeSpec>[] = [
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('directory'), stat }) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('leaf'), stat, content: randomContent(settings) }) },
  ];
  if (settings.hardlinks) {
    nodes.push({ weight: 2, arbitrary: fc.record({ kind: fc.constant('hardlink'), target: fc.nat(1000) }) });
  }
  return fc.oneof(...nodes);
}

function randomContent(settings: Settings): fc.Arbitrary<LeafContent> {
  const sizes = [65, 4095, 4096, 4097, 65536, 2 ** 20 + 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, settings.sizeMax];
  const size = fc.oneof(fc.constantFrom(...sizes), fc.integer({ min: 65, max: settings.sizeMax }));
  const lengths = [0, 1, 63, 64, 65, 511, 512, settings.inlineMax].filter((length) => length <= settings.inlineMax);
  const inline = fc.oneof(
    fc.uint8Array({ maxLength: Math.min(settings.inlineMax, 20) }).map((bytes) => Buffer.from(bytes)),
    fc.tuple(fc.constantFrom(...lengths), fc.nat(255)).map(([length, byte]) => Buffer.alloc(length, byte)),
    fc.constantFrom('-', '--', '\\x2d', 'a b\n').map((text) => Buffer.from(text)),
  );
  const id = randomObjectId(settings.algorithm);
  const target = fc.oneof(
    randomBytes(1, 20, true),
    fc.constantFrom('-', '/', '../a', 'a b', '\\').map((text) => text as ByteString),
    fc.constantFrom(60, 255, settings.targetMax).map((length) => 't'.repeat(length) as ByteString),
  );
  const rdev = fc.oneof(fc.constantFrom(1, 123, 0x501, 0xffffffff), fc.integer({ min: 1, max: 0xffffffff }));
  const contents: fc.WeightedArbitrary<LeafContent>[] = [
    { weight: 4, arbitrary: inline.map((data) => regular({ storage: 'inline', data })) },
    { weight: 4, arbitrary: fc.tuple(id, size).map(([id, size]) => regular({ storage: 'external', id, size })) },
    { weight: 3, arbitrary: target.map((target) => ({ type: 'symlink', target })) },
    { weight: 1, arbitrary: rdev.map((rdev) => ({ type: 'block-device', rdev })) },
    { weight: 1, arbitrary: rdev.map((rdev) => ({ type: 'character-device', rdev })) },
    { weight: 1, arbitrary: fc.constantFrom<LeafContent>({ type: 'fifo' }, { type: 'socket' }) },
  ];
  if (settings.whiteouts) {
    contents.push({ weight: 1, arbitrary: fc.constant({ type: 'character-device', rdev: 0 }) });
  }
  if (settings.sparse) {
    const sparseSize = fc.oneof(fc.constantFrom(1, 64), size);
    contents.push({ weight: 1, arbitrary: sparseSize.map((size) => regular({ storage: 'sparse', size })) });
  }
  if (settings.noVerity) {
    const file = fc.tuple(id, size).map(([id, size]) => {
      return regular({ storage: 'external-no-verity', payload: objectPathname(id) as ByteString, size });
    });
    contents.push({ weight: 2, arbitrary: file });
  }
  return fc.oneof(...contents);
}

function regular(file: Extract<LeafContent, { type: 'regular' }>['file']): LeafContent {
  return { type: 'regular', file };
}

function randomBytes(minLength: number, maxLength: number, isText: boolean): fc.Arbitrary<ByteString> {
  const bytes = fc.uint8Array({ minLength, maxLength }).map(byteStringFrom);
  return isText ? bytes.map((text) => text.replaceAll('\0', '0').replaceAll('/', '_') as ByteString) : bytes;
}

/** Keeps paths below the 4095 bytes of the dumpfile forms, and whiteouts single and off the root's stub names. */
function buildTree(rootStat: Stat, entries: readonly EntrySpec[]): Directory {
  const root = new Directory(rootStat);
  const directories = [{ directory: root, pathLength: 0 }];
  const leaves: { readonly directory: Directory; readonly name: ByteString }[] = [];
  for (const { parent, name, node } of entries) {
    let place = directories[parent % directories.length];
    if (place === undefined || place.pathLength + 1 + name.length > 4000) place = { directory: root, pathLength: 0 };
    const { directory, pathLength } = place;
    if (directory.lookup(name) !== undefined) continue;
    if (node.kind === 'directory') {
      const child = new Directory(node.stat);
      directory.insert(name, child);
      directories.push({ directory: child, pathLength: pathLength + 1 + name.length });
    } else if (node.kind === 'leaf') {
      if (isWhiteout(node.content)) {
        if (directory === root && /^[0-9a-fA-F]{2}$/.test(name)) continue;
        directory.insertLeaf(name, node.stat, node.content);
      } else {
        // As the library makes trees, and as its users do.
        if (leaves.length % 2 === 0) directory.insertLeaf(name, node.stat, node.content);
        else directory.insert(name, new Leaf(node.stat, node.content));
        leaves.push({ directory, name });
      }
    } else {
      const target = leaves[node.target % leaves.length];
      const leaf = target?.directory.lookup(target.name);
      if (leaf !== undefined) directory.insert(name, leaf);
    }
  }
  return root;
}
