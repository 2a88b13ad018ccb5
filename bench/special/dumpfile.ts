/** Times of writing and reading a dumpfile of 200,000 entries: `node dist/bench/special/dumpfile.js [entries]`. */

import { performance } from 'node:perf_hooks';
import type { ByteString } from '../../src/bytes/byte-string.js';
import { parseDumpfile } from '../../src/composefs/dumpfile/in-turns.js';
import { writeDumpfile } from '../../src/composefs/dumpfile/writer.js';
import { objectIdFromBytes } from '../../src/composefs/fsverity/object-id.js';
import { parseCDumpfile } from '../../src/composefs/mkcomposefs/c-parser.js';
import { Directory, Leaf } from '../../src/composefs/tree/inode.js';
import { NO_XATTRS, type Xattrs } from '../../src/composefs/tree/stat.js';

const entries = Number(process.argv[2] ?? 200_000);

function makeTree(): Directory {
  const xattrs: Xattrs = new Map([['security.selinux' as ByteString, 'system_u:object_r:usr_t:s0\0' as ByteString]]);
  const stat = { mode: 0o755, uid: 0, gid: 0, mtimeSec: 1_700_000_000, mtimeNsec: 0, xattrs: NO_XATTRS };
  const root = new Directory(stat);
  let directory = root;
  for (let i = 1; i < entries; i++) {
    const name = `some-file-name-${i}.txt` as ByteString;
    if (i % 20 === 0) {
      const child = new Directory({ ...stat, xattrs });
      (i % 200 === 0 ? root : directory).insert(name, child);
      directory = child;
    } else if (i % 4 === 0) {
      directory.insert(name, new Leaf(stat, { type: 'symlink', target: '../other' as ByteString }));
    } else if (i % 4 === 1) {
      const data = Buffer.from(`inline content ${i}\n`);
      directory.insert(name, new Leaf(stat, { type: 'regular', file: { storage: 'inline', data } }));
    } else {
      const digest = Buffer.alloc(32);
      digest.writeUInt32LE(i);
      const id = objectIdFromBytes(digest);
      directory.insert(
        name,
        new Leaf({ ...stat, xattrs }, { type: 'regular', file: { storage: 'external', id, size: i } }),
      );
    }
  }
  return root;
}

async function time<T>(what: string, action: () => T | Promise<T>): Promise<T> {
  const times: number[] = [];
  let result: T | undefined;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    result = await action();
    times.push(performance.now() - start);
  }
  console.log(`${what}: first ${times[0]?.toFixed(0)} ms, best ${Math.min(...times).toFixed(0)} ms`);
  return result as T;
}

const tree = makeTree();
const dump = Buffer.from(await time('write', () => [...writeDumpfile(tree)].join('')));
console.log(`${entries} entries, ${dump.length} bytes`);
await time('parse (RS)', () => parseDumpfile(dump, 'sha256'));
await time('parse (C)', () => parseCDumpfile(dump));
