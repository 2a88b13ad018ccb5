import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { libcFunction } from '../src/linux/ffi.js';

// Makes every start of Node read all certificates of the system.
delete process.env['NODE_EXTRA_CA_CERTS'];

/** What running one command took. */
export interface Measurement {
  /** Seconds. */
  readonly wall: number;
  /** Seconds of user and system time, of the command and its children. */
  readonly cpu: number;
  /** Largest resident set of any process of the command, in MiB. */
  readonly peakMiB: number;
}

/**
 * Runs a command to its end and measures it. Each run has a process of its own in between, because the kernel's count
 * of ended children has no way to be reset.
 *
 * @throws Error with the command's stderr if it fails.
 */
export function measure(command: readonly string[]): Measurement {
  const self = fileURLToPath(import.meta.url);
  const { status, stdout, stderr } = spawnSync(process.execPath, [self, ...command], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new Error(`${command.join(' ')} failed:\n${stderr}`);
  return JSON.parse(stdout) as Measurement;
}

/** The medians of several measurements, each quantity by itself. */
export function median(measurements: readonly Measurement[]): Measurement {
  return {
    wall: middle(measurements.map(({ wall }) => wall)),
    cpu: middle(measurements.map(({ cpu }) => cpu)),
    peakMiB: middle(measurements.map(({ peakMiB }) => peakMiB)),
  };
}

/** The median; of an even number of values the upper one. */
export function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** `struct rusage` of the children that have ended (getrusage(2)). */
function childUsage(): { cpu: number; peakMiB: number } {
  const RUSAGE_CHILDREN = -1;
  const buffer = Buffer.alloc(144);
  const getrusage = libcFunction<[who: number, usage: Buffer], number>('getrusage', 'int', ['int', 'void *']);
  if (getrusage(RUSAGE_CHILDREN, buffer) !== 0) throw new Error('getrusage failed');
  const seconds = (offset: number): number =>
    Number(buffer.readBigInt64LE(offset)) + Number(buffer.readBigInt64LE(offset + 8)) / 1e6;
  return { cpu: seconds(0) + seconds(16), peakMiB: Number(buffer.readBigInt64LE(32)) / 1024 };
}

function measureHere(command: readonly string[]): void {
  const [program, ...args] = command;
  if (program === undefined) throw new Error('no command');
  const start = performance.now();
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const wall = (performance.now() - start) / 1000;
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
  process.stdout.write(JSON.stringify({ wall, ...childUsage() } satisfies Measurement));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) measureHere(process.argv.slice(2));
