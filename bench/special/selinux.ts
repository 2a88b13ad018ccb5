import { type Dirent, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { selabelFromDir } from '../../src/boot/selinux/label-tree.js';
import { readPolicy } from '../../src/boot/selinux/policy.js';
import { policyOfDirectory } from '../../src/boot/selinux/policy-source.js';
import { byteStringFrom } from '../../src/bytes/byte-string.js';
import { Directory, Leaf, type LeafContent } from '../../src/composefs/tree/inode.js';
import { NO_XATTRS, type Stat } from '../../src/composefs/tree/stat.js';

/**
 * How much processor time SELinux labels take.
 *
 *     COMPOSEFS_BENCH_POLICY=ROOT [COMPOSEFS_BENCH_PATHS=DIR] node dist/bench/special/selinux.js
 *
 * The policy is that of ROOT (`ROOT/etc/selinux/config`); the paths are those below DIR (`/`), as if it were the root,
 * COMPOSEFS_BENCH_COUNT (50,000) of them. COMPOSEFS_BENCH_RUNS (5) sets the number of runs, each with the policy read anew.
 */

const policy = process.env['COMPOSEFS_BENCH_POLICY'];
const paths = process.env['COMPOSEFS_BENCH_PATHS'] ?? '/';
const count = Number(process.env['COMPOSEFS_BENCH_COUNT'] ?? 50_000);
const runs = Number(process.env['COMPOSEFS_BENCH_RUNS'] ?? 5);
if (policy === undefined) {
  console.error('COMPOSEFS_BENCH_POLICY must name a directory with an SELinux policy in etc/selinux');
  process.exit(1);
}

const STAT: Stat = { mode: 0o755, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS };
const SKIPPED = new Set(['/dev', '/proc', '/run', '/sys', '/tmp']);

/** Names and types of what is below a directory, breadth first, until there are enough. */
function readNames(path: string): { root: Directory; size: number } {
  const root = new Directory(STAT);
  const pending: [string, Directory][] = [[path, root]];
  let size = 1;
  for (const [at, directory] of pending) {
    for (const entry of readdirSync(at, { withFileTypes: true, encoding: 'buffer' })) {
      if (size === count) return { root, size };
      const child = join(at, entry.name.toString());
      if (SKIPPED.has(child)) continue;
      const inode = entry.isDirectory() ? new Directory(STAT) : new Leaf(STAT, contentOf(entry));
      directory.insert(byteStringFrom(entry.name), inode);
      if (inode instanceof Directory) pending.push([child, inode]);
      size += 1;
    }
  }
  return { root, size };
}

function contentOf(entry: Dirent<Buffer>): LeafContent {
  if (entry.isSymbolicLink()) return { type: 'symlink', target: byteStringFrom(Buffer.from('x')) };
  if (entry.isFIFO()) return { type: 'fifo' };
  if (entry.isSocket()) return { type: 'socket' };
  return { type: 'regular', file: { storage: 'inline', data: Buffer.alloc(0) } };
}

function cpuOf(action: () => unknown): number {
  const before = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

for (let run = 0; run < runs; run++) {
  const { root, size } = readNames(paths);
  const reading = cpuOf(() => readPolicy(policyOfDirectory(policy)));
  const all = cpuOf(() => selabelFromDir(root, policy));
  const memory = (process.memoryUsage().rss / 2 ** 20).toFixed(0);
  console.log(
    `${size} inodes: ${all.toFixed(0)} ms, of which the policy ${reading.toFixed(0)} ms; ${memory} MiB resident`,
  );
}
