import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { directoryLinks, writeDumpfile } from '../../../src/composefs/dumpfile/writer.js';
import { parseCDumpfile } from '../../../src/composefs/mkcomposefs/c-parser.js';
import { writeCDumpfile } from '../../../src/composefs/mkcomposefs/c-writer.js';
import { Directory, fileSize, type Inode } from '../../../src/composefs/tree/inode.js';
import { OriginLeaf } from '../../../src/composefs/tree/origin-leaf.js';
import { countLinks } from '../../../src/composefs/tree/walk.js';
import { parseDumpfile } from '../../support/at-once.js';
import { randomTree } from '../../support/random-tree.js';
import { assertSameTree } from '../../support/same-tree.js';

const numRuns = Number(process.env['COMPOSEFS_TEST_FUZZ'] ?? 300);

test('a tree survives the RS form, with either algorithm', () => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    fc.assert(
      fc.property(randomTree({ algorithm, inlineMax: 512 }), (root) => {
        const dump = Buffer.from([...writeDumpfile(root)].join(''));
        const parsed = parseDumpfile(dump, algorithm);
        assertSameTree(parsed, root);
        assert.equal([...writeDumpfile(parsed)].join(''), dump.toString());
      }),
      { numRuns },
    );
  }
});

test('a tree survives the C form', () => {
  const options = { inlineMax: 5000, targetMax: 4095, noVerity: true, negativeMtime: true, overlayXattrs: true };
  fc.assert(
    fc.property(randomTree(options), (root) => {
      const links = countLinks(root);
      const stored = (inode: Inode): { size: number; nlink: number } => {
        if (inode instanceof Directory) return { size: 4096, nlink: directoryLinks(inode) };
        const { content } = inode;
        const size = content.type === 'regular' ? fileSize(content.file) : 0;
        const target = content.type === 'symlink' ? content.target.length : 0;
        return { size: size + target, nlink: links.get(inode) ?? 0 };
      };
      const dump = [...writeCDumpfile(root, { stored })].join('');
      const parsed = parseCDumpfile(Buffer.from(dump), { strict: true });
      assertSameTree(parsed, root);
      const parsedLinks = countLinks(parsed);
      assert.equal(parsedLinks.size, links.size);
      for (const [leaf, count] of parsedLinks) {
        if (count === 1 && !(leaf instanceof OriginLeaf)) continue;
        assert(leaf instanceof OriginLeaf);
        assert.equal(leaf.directory.lookup(leaf.name), leaf);
        assert.equal(leaf.nlink, count);
      }
    }),
    { numRuns },
  );
});

test('the C parser reads what the RS writer writes', () => {
  fc.assert(
    fc.property(randomTree(), (root) => {
      assertSameTree(parseCDumpfile(Buffer.from([...writeDumpfile(root)].join(''))), root);
    }),
    { numRuns },
  );
});
