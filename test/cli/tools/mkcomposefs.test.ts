import assert from 'node:assert/strict';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import { mkcomposefs } from '../../../src/cli/tools/mkcomposefs.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { readCTree } from '../../../src/composefs/mkcomposefs/index.js';
import { getLeaf } from '../../../src/composefs/tree/lookup.js';
import { OriginLeaf } from '../../../src/composefs/tree/origin-leaf.js';
import { runOurTool } from '../../support/c-tools.js';
import { filesBelow } from '../../support/files-below.js';
import { sharedPath, withTempDir } from '../../support/paths.js';
import { sha256 } from '../../support/sha256.js';
import { failureOf } from './tool-support.js';

const vectors = sharedPath('vectors', 'dumpfiles');
const skip = vectors === undefined ? 'the shared vectors are absent' : false;

const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -\n';

interface Expected {
  readonly sha256: string;
  readonly fsverity?: string;
}

type Row = Readonly<Record<'v0' | 'v1' | 'v0max0', Expected>> & { readonly strict: boolean };

const LIMITS = { v0: [], v1: ['--min-version=1'], v0max0: ['--min-version=0', '--max-version=0'] } as const;

test('CLI-114 to CLI-124: the dumpfiles of the C test suite give its images', { skip }, async () => {
  const folder = vectors ?? '';
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Readonly<Record<string, Row>>;
  await withTempDir(async (work) => {
    for (const [file, row] of Object.entries(expected)) {
      const bytes = readFileSync(join(folder, 'good', file));
      const dump = join(work, 'dump');
      writeFileSync(dump, file.endsWith('.gz') ? gunzipSync(bytes) : bytes);
      for (const kind of ['v0', 'v1', 'v0max0'] as const) {
        const image = join(work, 'image');
        await withStrictness(row.strict, () => mkcomposefs([...LIMITS[kind], '--from-file', dump, image]));
        const { sha256: wanted, fsverity } = row[kind];
        assert.equal(sha256(readFileSync(image)), wanted, `${file} ${kind}`);
        if (fsverity !== undefined) assert.equal(computeVerity('sha256', readFileSync(image)), fsverity);
      }
    }
  });
});

async function withStrictness<T>(strict: boolean, action: () => T | Promise<T>): Promise<T> {
  if (strict) process.env['CFS_PARSE_STRICT'] = '1';
  try {
    return await action();
  } finally {
    delete process.env['CFS_PARSE_STRICT'];
  }
}

/** Spec 70 G7. */
const REFUSED: Readonly<Record<string, string>> = {
  'long-link': 'Invalid symlink',
  'empty-xattr-key': "Can't set xattr",
  'long-xattr-key': 'Too many xattrs',
  'long-xattr-value': 'Invalid mode 644',
  'honggfuzz-long-xattr': "Can't set xattr",
  'too-big': 'cannot write file: File too large',
  'no-ftype': 'Invalid mode 0',
  'empty-name': "Can't add child",
  'empty-link-name': 'Invalid symlink',
  'dot-name': 'Invalid . or .. in path: /.',
  'dotdot-name': 'Invalid . or .. in path: /..',
  'dir-hardlink': "Directories can't be hardlinked",
  'self-hardlink': 'Self-referential hardlink /037blockdev',
  'big-inline': 'Inline content size 5004 exceeds maximum 5000',
};

test('CLI-131 to CLI-144: dumpfiles that must be refused are', { skip }, async () => {
  const folder = join(vectors ?? '', 'bad');
  assert.deepEqual(
    readdirSync(folder).sort(),
    Object.keys(REFUSED)
      .map((name) => `${name}.dump`)
      .sort(),
  );
  await withTempDir(async (work) => {
    for (const [name, message] of Object.entries(REFUSED)) {
      const out = join(work, name);
      assert.equal(
        await failureOf(mkcomposefs, '--from-file', join(folder, `${name}.dump`), out),
        `mkcomposefs: ${message}\n`,
      );
      // Like C, which opens the image first.
      assert.equal(statSync(out).size, 0);
    }
  });
});

describe('the store', () => {
  /** The tree of the C test suite's units: one file in `root`. */
  async function makeImage(work: string, content: Buffer | string, ...options: readonly string[]): Promise<string[]> {
    mkdirSync(join(work, 'root'), { recursive: true });
    writeFileSync(join(work, 'root', 'a-file'), content);
    const store = join(work, 'objects');
    await mkcomposefs([`--digest-store=${store}`, ...options, join(work, 'root'), join(work, 'test.cfs')]);
    return existsSync(store) ? filesBelow(store) : [];
  }

  const ZEROS = 'f9/e460982126612a4ba03721c4cf7a588dd28a7daed22ddeeaa57b2d45d2e67f';

  it('CLI-110: small files are in the image', () =>
    withTempDir(async (work) => assert.deepEqual(await makeImage(work, 'foo\n'), [])));

  it('CLI-111: large files are objects', () =>
    withTempDir(async (work) => assert.deepEqual(await makeImage(work, Buffer.alloc(1024)), [ZEROS])));

  it('CLI-109: there is no other level', () =>
    withTempDir(async (work) => {
      const objects = await makeImage(work, 'x'.repeat(8192));
      assert.deepEqual(objects, ['4d/ef97d6605720dbd0452af4d6ea4afaf4a4071d0fb764742be72ad66e4308b6']);
    }));

  it('65 bytes are the first that are stored', () =>
    withTempDir(async (work) => {
      assert.equal((await makeImage(work, 'a'.repeat(64))).length, 0);
      assert.equal((await makeImage(work, 'a'.repeat(65))).length, 1);
    }));

  it('objects have mode 0644 whatever the umask; what is there is kept', () =>
    withTempDir(async (work) => {
      const umask = process.umask(0o077);
      try {
        await makeImage(work, Buffer.alloc(1024));
      } finally {
        process.umask(umask);
      }
      const object = join(work, 'objects', ZEROS);
      const { mode, ino } = statSync(object);
      assert.equal(mode & 0o7777, 0o644);
      await makeImage(work, Buffer.alloc(1024));
      assert.equal(statSync(object).ino, ino);
      assert.deepEqual(readdirSync(join(work, 'objects')), ['f9']);
    }));

  it('is made with its parents', () =>
    withTempDir(async (work) => {
      await makeImage(work, Buffer.alloc(1024), `--digest-store=${work}/a/b/c`);
      assert.deepEqual(filesBelow(join(work, 'a')), [`b/c/${ZEROS}`]);
    }));

  it('files of several buffers are stored whole', () =>
    withTempDir(async (work) => {
      const content = Buffer.alloc(3 * 1024 * 1024 + 17, 'composefs');
      const [object = ''] = await makeImage(work, content);
      assert.equal(object.replace('/', ''), computeVerity('sha256', content));
      assert.ok(readFileSync(join(work, 'objects', object)).equals(content));
    }));

  it('what is in its way is named', () =>
    withTempDir(async (work) => {
      writeFileSync(join(work, 'objects'), '');
      mkdirSync(join(work, 'root'));
      writeFileSync(join(work, 'root', 'f'), Buffer.alloc(100));
      const args = [`--digest-store=${work}/objects`, join(work, 'root'), join(work, 'out')];
      assert.match(
        await failureOf(mkcomposefs, ...args),
        /^mkcomposefs: cannot fill store: (File exists|Not a directory)\n$/,
      );
    }));
});

test('hard links of a directory become inodes of their own', () =>
  withTempDir(async (work) => {
    const source = join(work, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'a'), 'hello hardlink\n');
    linkSync(join(source, 'a'), join(source, 'b'));
    await mkcomposefs([source, join(work, 'image')]);
    const { root } = readCTree(readFileSync(join(work, 'image')));
    const [a, b] = ['a', 'b'].map((name) => getLeaf(root, name as ByteString));
    assert.ok(a instanceof OriginLeaf && b instanceof OriginLeaf && a !== b);
    assert.deepEqual([a.nlink, b.nlink], [1, 1]);
  }));

test('errors about the source', () =>
  withTempDir(async (work) => {
    const path = (name: string): string => join(work, name);
    writeFileSync(path('file'), 'x');
    symlinkSync('file', path('link'));
    mkdirSync(path('directory'));
    const failure = (source: string): Promise<string> => failureOf(mkcomposefs, source, path('out'));
    assert.equal(
      await failure(path('none')),
      `mkcomposefs: error accessing ${path('none')}: No such file or directory\n`,
    );
    assert.equal(await failure(path('file/x')), `mkcomposefs: error accessing ${path('file/x')}: Not a directory\n`);
    assert.equal(await failure(path('file')), 'mkcomposefs: cannot write file: Not a directory\n');
    assert.equal(await failure(path('link')), 'mkcomposefs: cannot write file: Not a directory\n');
    assert.equal(
      await failureOf(mkcomposefs, path('directory'), path('none/out')),
      'mkcomposefs: failed to open output file: No such file or directory\n',
    );
    assert.equal(
      await failureOf(mkcomposefs, '--from-file', path('none'), path('out')),
      `mkcomposefs: open \`${path('none')}\`: No such file or directory\n`,
    );
    assert.equal(
      await failureOf(mkcomposefs, '--from-file', path('directory'), path('out')),
      'mkcomposefs: Error reading from file\n',
    );
    assert.equal(
      await failureOf(mkcomposefs, '--from-file', '/dev/null', path('out')),
      'mkcomposefs: No files in dump file\n',
    );
  }));

const USAGE_LAST_LINE =
  '  --threads=N           Use this to override the default number of threads used to calculate digest and copy files ' +
  `(default=${availableParallelism()})\n`;

test('CLI-148: what is wrong with a command line', async () => {
  const withUsage: [args: string[], message: string][] = [
    [[], 'No source path specified\n'],
    [['dir'], 'No destination path specified\n'],
    [['a', 'b', 'c'], 'Too many arguments\n'],
    [['--print-digest-only', 'a', 'b'], 'Cannot specify destination path with --print-digest-only\n'],
    [['--help'], ''],
    [['-C', 'a', 'b'], ''],
    [['--print', 'a', 'b'], ''],
  ];
  for (const [args, message] of withUsage) {
    const text = await failureOf(mkcomposefs, ...args);
    assert.ok(text.startsWith(`${message}Usage: mkcomposefs [OPTIONS] SOURCE IMAGE\nOptions:\n`), text);
    assert.ok(text.endsWith(USAGE_LAST_LINE), text);
  }
  const others: [args: string[], text: string][] = [
    [['', 'out'], 'mkcomposefs: Empty source path specified\n'],
    [['--min-version=x', '--bogus'], 'Invalid min version x\n'],
    [['--max-version='], 'Invalid max version \n'],
    [['--threads=0'], 'Invalid threads count 0\n'],
    [['--threads=two'], 'Invalid threads count two\n'],
    [['--digest-store'], 'option needs a value\n'],
  ];
  for (const [args, text] of others) assert.equal(await failureOf(mkcomposefs, ...args), text);
});

test('standard input and output; the digest follows the image', () => {
  const { status, stdout, stderr } = runOurTool('mkcomposefs', ['--print-digest', '--from-file', '-', '-'], {
    input: ROOT,
  });
  assert.equal(status, 0, stderr);
  const image = stdout.subarray(0, -65);
  assert.equal(image.length % 4096, 0);
  assert.equal(stdout.subarray(-65).toString(), `${computeVerity('sha256', image)}\n`);
  assert.equal(
    runOurTool('mkcomposefs', ['--print-digest-only', '--from-file', '-'], { input: ROOT }).stdout.toString(),
    `${computeVerity('sha256', image)}\n`,
  );
});

test('strict parsing is asked for by the environment', () => {
  const args = ['--print-digest-only', '--from-file', '-'];
  const input = ROOT.trimEnd();
  assert.equal(runOurTool('mkcomposefs', args, { input }).status, 0);
  const strict = runOurTool('mkcomposefs', args, { input, env: { CFS_PARSE_STRICT: '' } });
  assert.deepEqual([strict.status, strict.stderr], [1, 'mkcomposefs: Missing trailing newline\n']);
});

test('CLI-103: with --hardlinks the names of one file are names of one inode', () =>
  withTempDir(async (work) => {
    const source = join(work, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'a'), 'hello hardlink\n');
    linkSync(join(source, 'a'), join(source, 'b'));
    const image = async (...options: string[]): Promise<Buffer> => {
      await mkcomposefs(['--use-epoch', ...options, source, join(work, 'image')]);
      return readFileSync(join(work, 'image'));
    };
    const isShared = (bytes: Buffer): boolean => {
      const { root } = readCTree(bytes);
      return root.lookup('a' as ByteString) === root.lookup('b' as ByteString);
    };
    const images = [await image(), await image('--hardlinks'), await image()];
    assert.deepEqual(images.map(isShared), [false, true, false]);
    assert.deepEqual(images[0], images[2]);
  }));
