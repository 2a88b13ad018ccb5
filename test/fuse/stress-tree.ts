import { byteStringFromText } from '../../src/bytes/byte-string.js';
import type { Repository } from '../../src/composefs/repository/index.js';
import type { Directory } from '../../src/composefs/tree/inode.js';
import { directory, inline, leaf, stat, xattrs } from '../composefs/erofs/support.js';

/** Sizes around every threshold: empty, inline, one block, many blocks, and some that are hashed in the background. */
const SIZES = [0, 10, 64, 65, 4095, 4096, 4097, 70_000, 300_000, 1_500_000];

export function stressSize(n: number): number {
  return SIZES[n % SIZES.length] ?? 0;
}

export function stressContent(n: number): Buffer {
  return Buffer.alloc(stressSize(n), `${n} `);
}

/** `d0` to `d9` with the files `f0`, `f1`, …, and `links` with a symlink to each. */
export function stressTree(repo: Repository, count: number): Directory {
  const numbers = Array.from({ length: count }, (_, n) => n);
  const file = (n: number): ReturnType<typeof leaf> => {
    const content = stressContent(n);
    const of = stat(0o644, { xattrs: xattrs({ 'user.n': `${n}` }) });
    if (content.length <= 64) return leaf(inline(content), of);
    const id = repo.objects.ensureObject(content);
    return leaf({ type: 'regular', file: { storage: 'external', id, size: content.length } }, of);
  };
  const link = (n: number): ReturnType<typeof leaf> =>
    leaf({ type: 'symlink', target: byteStringFromText(`../d${n % 10}/f${n}`) });
  const folders = Array.from({ length: 10 }, (_, d) => {
    const own = numbers.filter((n) => n % 10 === d);
    return [`d${d}`, directory(Object.fromEntries(own.map((n) => [`f${n}`, file(n)])))] as const;
  });
  return directory({
    ...Object.fromEntries(folders),
    links: directory(Object.fromEntries(numbers.map((n) => [`l${n}`, link(n)]))),
  });
}
