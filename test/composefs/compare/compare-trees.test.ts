import assert from 'node:assert/strict';
import { chmodSync, linkSync, mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteStringToText } from '../../../src/bytes/byte-string.js';
import type { Aspect } from '../../../src/composefs/compare/aspects.js';
import type { ComparableTree } from '../../../src/composefs/compare/comparable-tree.js';
import { compareTrees } from '../../../src/composefs/compare/compare-trees.js';
import { type Difference, summarise } from '../../../src/composefs/compare/difference.js';
import { DirectoryTree } from '../../../src/composefs/compare/directory-tree.js';
import { ImageTree } from '../../../src/composefs/compare/image-tree.js';
import { type FormatVersion, writeErofs } from '../../../src/composefs/erofs/index.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { LazyDirectory } from '../../../src/composefs/scan/lazy-directory.js';
import { Directory, type LeafContent } from '../../../src/composefs/tree/inode.js';
import { cloneTree } from '../../../src/composefs/tree/walk.js';
import { runSteps } from '../../../src/threads/turns.js';
import { withTempDir } from '../../support/paths.js';
import { randomTree } from '../../support/random-tree.js';
import { directory, inline, leaf, name, stat, xattrs } from '../erofs/support.js';

function external(content: string): LeafContent {
  const data = Buffer.from(content.repeat(100));
  return { type: 'regular', file: { storage: 'external', id: computeVerity('sha256', data), size: data.length } };
}

function asImage(tree: Directory, version: FormatVersion): ImageTree {
  return new ImageTree(writeErofs(tree, { version, algorithm: 'sha256' }), 'sha256');
}

/** `changed /etc/passwd content,mode` */
function shown(difference: Difference): string {
  const from = difference.kind === 'renamed' ? `${byteStringToText(difference.from)} -> ` : '';
  const aspects = 'aspects' in difference && difference.aspects.length > 0 ? ` ${difference.aspects.join(',')}` : '';
  return `${difference.kind} ${from}${byteStringToText(difference.path)}${aspects}`;
}

function first(): Directory {
  const twins = leaf(external('twins'));
  return directory({
    etc: directory({
      passwd: leaf(inline('root')),
      shadow: leaf(inline('x'), stat(0o600)),
      link: leaf({ type: 'symlink', target: name('passwd') }, stat(0o777)),
      capable: leaf(inline('c'), stat(0o755, { xattrs: xattrs({ 'security.capability': 'a', 'user.b': '1' }) })),
      null: leaf({ type: 'character-device', rdev: 0x103 }),
      pipe: leaf({ type: 'fifo' }),
      old: leaf(external('old')),
    }),
    lib: directory({ a: twins, b: twins, gone: directory({ x: leaf(inline('1')), y: leaf(external('y')) }) }),
    same: directory({ deep: directory({ file: leaf(external('same')) }) }),
    empty: leaf(inline('')),
    tool: leaf(external('tool'), stat(0o755)),
  });
}

function second(): Directory {
  return directory(
    {
      etc: directory(
        {
          passwd: leaf(inline('ROOT')),
          shadow: leaf(inline('x'), stat(0o640, { gid: 42 })),
          link: leaf({ type: 'symlink', target: name('/etc/passwd') }, stat(0o777)),
          capable: leaf(inline('c'), stat(0o755, { xattrs: xattrs({ 'security.capability': 'b', 'user.c': '1' }) })),
          null: leaf({ type: 'character-device', rdev: 0x105 }),
          pipe: leaf({ type: 'socket' }),
          new: leaf(external('old'), stat(0o600)),
        },
        stat(0o755, { mtimeSec: 5, mtimeNsec: 7 }),
      ),
      lib: directory({ a: leaf(external('twins')), b: leaf(external('twins')), gone: leaf(external('y')) }),
      same: directory({ deep: directory({ file: leaf(external('same')) }) }),
      nothing: leaf(inline('')),
      usr: directory({ bin: directory({ tool: leaf(external('tool'), stat(0o755)) }) }),
    },
    stat(0o700),
  );
}

const EXPECTED = [
  'changed / mode',
  'changed /etc time',
  'changed /etc/capable xattrs',
  'changed /etc/link target',
  'renamed /etc/old -> /etc/new mode',
  'changed /etc/null device',
  'changed /etc/passwd content',
  'changed /etc/pipe type',
  'changed /etc/shadow mode,owner',
  'changed /lib/b links',
  'changed /lib/gone type,mode',
  'removed /lib/gone/x',
  'removed /lib/gone/y',
  'removed /empty',
  'added /nothing',
  'added /usr',
  'added /usr/bin',
  'renamed /tool -> /usr/bin/tool',
];

function byPath(differences: readonly Difference[]): string[] {
  return differences.map(shown).sort();
}

test('what differs is found in trees, in images of all formats, and between the two', async () => {
  const kinds: ((tree: Directory) => ComparableTree)[] = [
    (tree) => DirectoryTree.of(tree, 'sha256'),
    (tree) => asImage(tree, 0),
    (tree) => asImage(tree, 1),
  ];
  for (const one of kinds) {
    for (const other of kinds) {
      assert.deepEqual(byPath(await compareTrees(one(first()), other(second()))), [...EXPECTED].sort());
    }
  }
  const withoutNanoseconds = await compareTrees(asImage(first(), 2), asImage(second(), 2));
  assert.deepEqual(byPath(withoutNanoseconds), [...EXPECTED].sort());
});

test('differences come in the order of the paths, a directory before what is in it', async () => {
  const differences = await compareTrees(asImage(first(), 1), asImage(second(), 1), { renames: false });
  assert.deepEqual(differences.filter(({ path }) => path.startsWith('/lib') || path.startsWith('/usr')).map(shown), [
    'changed /lib/b links',
    'changed /lib/gone type,mode',
    'removed /lib/gone/x',
    'removed /lib/gone/y',
    'added /usr',
    'added /usr/bin',
    'added /usr/bin/tool',
  ]);
});

test('a difference says what there was and what there is', async () => {
  const differences = await compareTrees(asImage(first(), 1), asImage(second(), 1));
  const link = differences.find(({ path }) => path === '/etc/link');
  const links = { type: 'symlink', stat: stat(0o777), size: 0, rdev: 0 };
  assert.deepEqual(link, {
    kind: 'changed',
    path: '/etc/link',
    aspects: ['target'],
    before: { ...links, target: 'passwd' },
    after: { ...links, target: '/etc/passwd' },
  });
  const moved = differences.find(({ path }) => path === '/usr/bin/tool');
  const tool = { type: 'regular', stat: stat(0o755), size: 400, rdev: 0 };
  const object = computeVerity('sha256', Buffer.from('tool'.repeat(100)));
  assert.deepEqual(moved, {
    kind: 'renamed',
    path: '/usr/bin/tool',
    from: '/tool',
    aspects: [],
    before: { ...tool, object },
    after: { ...tool, object },
  });
  assert.deepEqual(summarise(differences), {
    kinds: { added: 3, removed: 3, changed: 10, renamed: 2 },
    aspects: { mode: 4, time: 1, xattrs: 1, target: 1, device: 1, content: 1, type: 2, owner: 1, links: 1 },
    addedBytes: 104,
    removedBytes: 105,
  });
});

test('aspects can be ignored', async () => {
  const ignore: Aspect[] = ['mode', 'owner', 'time', 'xattrs', 'links', 'content', 'device'];
  const differences = await compareTrees(asImage(first(), 1), asImage(second(), 1), { ignore, renames: false });
  assert.deepEqual(differences.filter(({ kind }) => kind === 'changed').map(shown), [
    'changed /etc/link target',
    'changed /etc/pipe type',
    'changed /lib/gone type',
  ]);
});

test('equal contents are equal however they are stored', async () => {
  const zeros = Buffer.alloc(5000);
  const object: LeafContent = {
    type: 'regular',
    file: { storage: 'external', id: computeVerity('sha256', zeros), size: zeros.length },
  };
  const small = Buffer.from('small');
  const asObject: LeafContent = {
    type: 'regular',
    file: { storage: 'external', id: computeVerity('sha256', small), size: small.length },
  };
  const one = directory({
    sparse: leaf({ type: 'regular', file: { storage: 'sparse', size: 5000 } }),
    a: leaf(inline(small)),
  });
  const other = directory({ sparse: leaf(object), a: leaf(asObject) });
  assert.deepEqual(await compareTrees(DirectoryTree.of(one, 'sha256'), DirectoryTree.of(other, 'sha256')), []);
  assert.deepEqual(await compareTrees(asImage(one, 1), asImage(other, 1)), []);
});

test('of several files with one content, those that kept their name are paired first', async () => {
  const file = (): ReturnType<typeof leaf> => leaf(external('licence'));
  const before = directory({ a: directory({ COPYING: file(), LICENSE: file() }), b: directory() });
  const after = directory({ a: directory(), b: directory({ COPY: file(), LICENSE: file(), more: file() }) });
  const differences = await compareTrees(asImage(before, 1), asImage(after, 1));
  assert.deepEqual(differences.map(shown), [
    'renamed /a/COPYING -> /b/COPY',
    'renamed /a/LICENSE -> /b/LICENSE',
    'added /b/more',
  ]);
});

test('a tree is like its images, and like itself', async () => {
  await fc.assert(
    fc.asyncProperty(
      randomTree({ nanoseconds: false }),
      fc.constantFrom<FormatVersion>(0, 1, 2),
      async (tree, version) => {
        const inMemory = DirectoryTree.of(tree, 'sha256');
        assert.deepEqual((await compareTrees(inMemory, asImage(tree, version))).map(shown), []);
        assert.deepEqual((await compareTrees(asImage(tree, version), inMemory)).map(shown), []);
      },
    ),
    { numRuns: 150 },
  );
});

test('of two trees, the differences one way are those of the other way turned round', async () => {
  const opposite = { added: 'removed', removed: 'added', changed: 'changed', renamed: 'renamed' } as const;
  await fc.assert(
    fc.asyncProperty(randomTree(), randomTree(), async (a, b) => {
      const [one, other] = [cloneTree(a), cloneTree(b)].map((tree) => DirectoryTree.of(tree, 'sha256'));
      assert.ok(one !== undefined && other !== undefined);
      const there = await compareTrees(one, other, { renames: false });
      const back = await compareTrees(other, one, { renames: false });
      const turned = (list: readonly Difference[]): string[] =>
        list.map((difference) => `${opposite[difference.kind]} ${shown(difference).replace(/^\w+ /, '')}`);
      assert.deepEqual(turned(there), back.map(shown));
    }),
    { numRuns: 100 },
  );
});

test('directories on disk are compared with images, and only what may be equal is read', async () => {
  await withTempDir(async (folder) => {
    const root = join(folder, 'root');
    mkdirSync(join(root, 'lib'), { recursive: true });
    writeFileSync(join(root, 'lib/one'), 'one '.repeat(1000));
    writeFileSync(join(root, 'lib/two'), 'two '.repeat(1000));
    writeFileSync(join(root, 'lib/longer'), 'longer '.repeat(1000));
    symlinkSync('one', join(root, 'lib/link'));
    const before = await LazyDirectory.scan(root, { algorithm: 'sha256' });
    const same = await compareTrees(
      DirectoryTree.ofLazy(before),
      DirectoryTree.ofLazy(await LazyDirectory.scan(root, { algorithm: 'sha256' })),
    );
    assert.deepEqual(same, []);
    const image = asImage(before.root, 1);

    // Of the same size, with the time that it had.
    writeFileSync(join(root, 'lib/one'), 'ONE '.repeat(1000));
    const { stat: before1 } = before.root;
    assert.equal(before1.uid, process.getuid?.());
    const leafOfOne = (before.root.lookup(name('lib')) as Directory).lookup(name('one'));
    utimesSync(join(root, 'lib/one'), leafOfOne?.stat.mtimeSec ?? 0, leafOfOne?.stat.mtimeSec ?? 0);
    writeFileSync(join(root, 'lib/longer'), 'longer '.repeat(999));
    chmodSync(join(root, 'lib/longer'), 0o600);
    renameSync(join(root, 'lib/two'), join(root, 'lib/zwei'));
    linkSync(join(root, 'lib/one'), join(root, 'lib/uno'));

    const now = await LazyDirectory.scan(root, { algorithm: 'sha256' });
    const ignore: Aspect[] = ['time'];
    const differences = await compareTrees(image, DirectoryTree.ofLazy(now), { ignore });
    assert.deepEqual(differences.map(shown), [
      'changed /lib/longer content,mode',
      'changed /lib/one content',
      'added /lib/uno',
      'renamed /lib/two -> /lib/zwei',
    ]);
    const longer = (now.root.lookup(name('lib')) as Directory).lookup(name('longer'));
    assert.ok(longer !== undefined && !(longer instanceof Directory));
    assert.equal(now.isUnread(longer), true, 'a file whose size tells was read');
  });
});

test('trees of two digest algorithms are not compared', async () => {
  const trees = [DirectoryTree.of(directory(), 'sha256'), DirectoryTree.of(directory(), 'sha512')] as const;
  await assert.rejects(compareTrees(...trees), {
    code: 'ALGORITHM_MISMATCH',
    message: 'trees with digests of sha256 and of sha512 cannot be compared',
  });
});

test('an aborted comparison ends with the reason', async () => {
  const reason = new Error('enough');
  const trees = [DirectoryTree.of(directory(), 'sha256'), DirectoryTree.of(directory(), 'sha256')] as const;
  await assert.rejects(compareTrees(...trees, { signal: AbortSignal.abort(reason) }), reason);
});

test('an image whose directories have several parents is refused', () => {
  const inner = directory({ x: leaf(inline('1')) });
  const image = writeErofs(directory({ a: directory({ b: inner }), c: directory({ b: directory() }) }), {
    version: 1,
    algorithm: 'sha256',
  });
  // Wherever the directory `c` is named, it becomes `a`.
  const tree = new ImageTree(image, 'sha256');
  const [a, c] = runSteps(tree.children(tree.root)).map(([, entry]) => entry);
  assert.ok(a !== undefined && c !== undefined);
  const nids = [a, c].map(({ entry }) => entry.inode.nid);
  const hostile = Buffer.from(image);
  for (let at = hostile.indexOf(nidBytes(nids[1] ?? 0)); at >= 0; at = hostile.indexOf(nidBytes(nids[1] ?? 0))) {
    nidBytes(nids[0] ?? 0).copy(hostile, at);
  }
  const read = new ImageTree(hostile, 'sha256');
  const children = runSteps(read.children(read.root));
  assert.throws(
    () => {
      for (const [, entry] of children) runSteps(read.children(entry));
    },
    { code: 'INVALID_IMAGE', message: 'Hardlinked directories detected' },
  );
});

function nidBytes(nid: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(nid));
  return bytes;
}
