import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { byteStringFromText } from '../../src/bytes/byte-string.js';
import { mountImageAt } from '../../src/composefs/mount/index.js';
import { unmountImage } from '../../src/composefs/mount/unmount.js';
import { Repository } from '../../src/composefs/repository/index.js';
import { Directory, Leaf } from '../../src/composefs/tree/inode.js';
import { NO_XATTRS, type Stat } from '../../src/composefs/tree/stat.js';
import { type FuseMountOptions, mountFuse } from '../../src/fuse/index.js';
import { middle } from '../measure.js';
import { markdownTable } from '../table.js';

/**
 * Times mounts of one image side by side: the kernel's, ours through FUSE in each mode, and the reference's through FUSE
 * where `COMPOSEFS_RS_CFSCTL` names it, and that of C where `COMPOSEFS_C_FUSE` names its `composefs-fuse`. Needs root.
 *
 *     npm run build && node dist/bench/special/fuse.js
 *
 * `list` is `find`, on a fresh mount, over 30,000 inodes; `read` reads 300 MB in 300 files, `small` 100 MB in 10,000
 * files, both of them cached as objects but not as files of the mount. `COMPOSEFS_BENCH_RUNS` (5) sets the number of
 * runs, whose medians are printed; `COMPOSEFS_BENCH_DIR` names where the repository is made (the temporary directory).
 */

const runs = Number(process.env['COMPOSEFS_BENCH_RUNS'] ?? 5);
const reference = process.env['COMPOSEFS_RS_CFSCTL'];
const cFuse = process.env['COMPOSEFS_C_FUSE'];
const MB = 1_000_000;
const STAT: Stat = { mode: 0o755, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS };

interface Way {
  readonly name: string;
  /** Resolves to the process that serves the mount, if any. */
  readonly mount: (mountPoint: string) => Promise<number | undefined>;
}

interface Sample {
  readonly mount: number;
  readonly list: number;
  readonly read: number;
  readonly small: number;
  readonly server: number;
  readonly memory: number;
}

const work = mkdtempSync(join(process.env['COMPOSEFS_BENCH_DIR'] ?? tmpdir(), 'composefs-bench-'));
try {
  await run();
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function run(): Promise<void> {
  const path = join(work, 'repo');
  const { repo } = await Repository.init(path, { algorithm: 'sha256', insecure: true });
  const image = await repo.commitImage(makeTree(repo));
  const mountPoint = join(work, 'mount');
  mkdirSync(mountPoint);
  const fuse = (name: string, options: FuseMountOptions): Way => ({
    name,
    mount: async (at) => (await mountFuse(repo, image, at, options)).pid,
  });
  const ways: Way[] = [
    {
      name: 'kernel',
      mount: async (at) => {
        mountImageAt(repo, image, at);
        return undefined;
      },
    },
    fuse('FUSE, passthrough', {}),
    fuse('FUSE, passthrough, verified', { verify: true }),
    fuse('FUSE, copies', { passthrough: false }),
    fuse('FUSE, copies, 1 thread', { passthrough: false, threads: 1 }),
    fuse('FUSE, copies, 4 threads', { passthrough: false, threads: 4 }),
    fuse('overlay on FUSE', { mode: 'overlay' }),
  ];
  if (reference !== undefined)
    ways.push({ name: 'reference, FUSE', mount: async (at) => mountReference(path, image, at) });
  if (cFuse !== undefined) {
    ways.push({ name: 'composefs-fuse (C)', mount: async (at) => mountC(cFuse, path, image, at) });
  }
  const samples = new Map<string, Sample[]>(ways.map(({ name }) => [name, []]));
  for (let round = 0; round < runs; round++) {
    // In turns: what else the machine does meanwhile is the same for all.
    for (const way of ways) samples.get(way.name)?.push(await sample(way, mountPoint));
  }
  print(samples);
  repo.close();
}

function makeTree(repo: Repository): Directory {
  const root = new Directory(STAT);
  const file = (seed: number, size: number): Leaf => {
    const content = Buffer.alloc(size, `${seed} is the number of this file, `);
    const id = repo.objects.ensureObject(content);
    return new Leaf({ ...STAT, mode: 0o644 }, { type: 'regular', file: { storage: 'external', id, size } });
  };
  const folder = (parent: Directory, name: string): Directory => {
    const directory = new Directory(STAT);
    parent.insert(byteStringFromText(name), directory);
    return directory;
  };
  const large = folder(root, 'read');
  for (let n = 0; n < 300; n++) large.insert(byteStringFromText(`f${n}`), file(n, MB));
  const small = folder(root, 'small');
  for (let d = 0; d < 100; d++) {
    const directory = folder(small, `d${d}`);
    for (let n = 0; n < 100; n++) directory.insert(byteStringFromText(`f${n}`), file(100 * d + n, 10_000));
  }
  const list = folder(root, 'list');
  for (let d = 0; d < 1000; d++) {
    const directory = folder(list, `d${d}`);
    for (let n = 0; n < 29; n++) {
      const data = Buffer.from(`${d}/${n}`);
      const content = { type: 'regular', file: { storage: 'inline', data } } as const;
      directory.insert(byteStringFromText(`f${n}`), new Leaf({ ...STAT, mode: 0o644 }, content));
    }
  }
  return root;
}

async function sample(way: Way, mountPoint: string): Promise<Sample> {
  const start = performance.now();
  const pid = await way.mount(mountPoint);
  const mount = (performance.now() - start) / 1000;
  try {
    const list = seconds(['find', join(mountPoint, 'list')]);
    const cat = (folder: string): number =>
      seconds(['sh', '-c', `find ${join(mountPoint, folder)} -type f -print0 | xargs -0 cat`]);
    const read = cat('read');
    const small = cat('small');
    return { mount, list, read, small, server: cpuOf(pid), memory: memoryOf(pid) };
  } finally {
    unmountImage(mountPoint);
    // Servers that end must not be measured with the next mount.
    await setTimeout(300);
  }
}

function seconds(command: readonly string[]): number {
  const [program = '', ...args] = command;
  const start = performance.now();
  const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${command.join(' ')} failed`);
  return (performance.now() - start) / 1000;
}

/** Seconds of user and system time so far: fields 14 and 15 of proc_pid_stat(5), of 10 ms. */
function cpuOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function memoryOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  return Number(/VmHWM:\s+([0-9]+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
}

function mountReference(repo: string, image: string, mountPoint: string): number | undefined {
  const args = ['--insecure', '--repo', repo, 'mount', '--fuse=yes', image, mountPoint];
  // Its server keeps standard error: a pipe would have no end.
  const { status } = spawnSync(reference ?? '', args, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`the reference cannot mount (status ${status})`);
  return processOf(`internal-fuse-serve.*${mountPoint}`);
}

function mountC(program: string, repo: string, image: string, mountPoint: string): number | undefined {
  const sources = `source=${join(repo, 'images', image)},basedir=${join(repo, 'objects')}`;
  const { status } = spawnSync(program, ['-o', sources, mountPoint], { stdio: 'ignore' });
  if (status !== 0) throw new Error(`composefs-fuse cannot mount (status ${status})`);
  return processOf(`composefs-fuse.*${mountPoint}`);
}

function processOf(commandLine: string): number | undefined {
  const { stdout } = spawnSync('pgrep', ['-f', commandLine], { encoding: 'utf8' });
  return stdout === '' ? undefined : Number(stdout.split('\n')[0]);
}

function print(samples: ReadonlyMap<string, readonly Sample[]>): void {
  const lines = [['', 'mount', 'list', 'read', 'MB/s', 'small', 'MB/s', 'server CPU', 'peak']];
  for (const [name, all] of samples) {
    const middleOf = (pick: (each: Sample) => number): number => middle(all.map(pick));
    const [read, small] = [middleOf((each) => each.read), middleOf((each) => each.small)];
    lines.push([
      name,
      `${middleOf((each) => each.mount).toFixed(2)} s`,
      `${middleOf((each) => each.list).toFixed(2)} s`,
      `${read.toFixed(2)} s`,
      (300 / read).toFixed(0),
      `${small.toFixed(2)} s`,
      (100 / small).toFixed(0),
      `${middleOf((each) => each.server).toFixed(2)} s`,
      `${middleOf((each) => each.memory).toFixed(0)} MiB`,
    ]);
  }
  console.log(markdownTable(lines));
}
