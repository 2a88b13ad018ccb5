import { availableParallelism } from 'node:os';
import { OptionScanner } from './getopt.js';
import { failuresOf, ToolFailure } from './tool-failure.js';

export interface MkcomposefsOptions {
  readonly source: string;
  /** Undefined: only the digest is wanted. */
  readonly image: string | undefined;
  readonly fromFile: boolean;
  readonly digestStore: string | undefined;
  readonly useEpoch: boolean;
  readonly skipDevices: boolean;
  readonly skipXattrs: boolean;
  readonly userXattrs: boolean;
  /** Of composefs-rs, not in C: names of one file stay names of one inode. */
  readonly hardlinks: boolean;
  readonly printDigest: boolean;
  /** Without limits the range is 0 to 1; one limit alone makes the other 0. 32 bits, as C stores them. */
  readonly minVersion: number | undefined;
  readonly maxVersion: number | undefined;
  /** Undefined: as many as there are processors, if that is worth it. */
  readonly threads: number | undefined;
}

const FLAGS = [
  'skip-xattrs',
  'user-xattrs',
  'skip-devices',
  'use-epoch',
  'print-digest',
  'print-digest-only',
  'from-file',
  'hardlinks',
] as const;
const VALUES = ['digest-store', 'max-version', 'min-version', 'threads'] as const;

const LONG_OPTIONS: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...FLAGS.map((name) => [name, false] as const),
  ...VALUES.map((name) => [name, true] as const),
]);

/** @throws ToolFailure for anything that mkcomposefs does not take. */
export function parseMkcomposefsOptions(args: readonly string[]): MkcomposefsOptions {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const scanner = new OptionScanner(args, { long: LONG_OPTIONS });
  for (const found of scanner) {
    if (found.kind !== 'option') {
      throw new ToolFailure(found.kind === 'missing-value' ? 'option needs a value\n' : usage());
    }
    const { name, value } = found;
    if (value === undefined) {
      flags.add(name);
    } else {
      checkNumber(name, value);
      values.set(name, value);
    }
  }
  const isDigestOnly = flags.has('print-digest-only');
  const minVersion = version(values.get('min-version'));
  const maxVersion = version(values.get('max-version'));
  return {
    ...operands(scanner.operands, isDigestOnly),
    fromFile: flags.has('from-file'),
    digestStore: values.get('digest-store'),
    useEpoch: flags.has('use-epoch'),
    skipDevices: flags.has('skip-devices'),
    skipXattrs: flags.has('skip-xattrs'),
    userXattrs: flags.has('user-xattrs'),
    hardlinks: flags.has('hardlinks'),
    printDigest: isDigestOnly || flags.has('print-digest'),
    minVersion,
    maxVersion,
    threads: threadCount(values.get('threads')),
  };
}

function checkNumber(name: string, text: string): void {
  if (name === 'digest-store') return;
  const value = strtol(text);
  if (name !== 'threads') {
    if (value === undefined) throw new ToolFailure(`Invalid ${name.replace('-', ' ')} ${text}\n`);
    return;
  }
  if (value === undefined) throw new ToolFailure(`Invalid threads count ${text}\n`);
  const count = BigInt.asIntN(32, value);
  if (count <= 0n) throw new ToolFailure(`Invalid threads count ${count}\n`);
}

function threadCount(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(BigInt.asIntN(32, strtol(text) ?? 1n));
}

function version(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(BigInt.asUintN(32, strtol(text) ?? 0n));
}

function operands(paths: readonly string[], isDigestOnly: boolean): { source: string; image: string | undefined } {
  const [source, image] = paths;
  if (source === undefined) throw wrongOperands('No source path specified');
  if (source === '') throw failuresOf('mkcomposefs').errx('Empty source path specified');
  if (paths.length > 2) throw wrongOperands('Too many arguments');
  if (image === undefined && !isDigestOnly) throw wrongOperands('No destination path specified');
  if (image !== undefined && isDigestOnly) {
    throw wrongOperands('Cannot specify destination path with --print-digest-only');
  }
  return { source, image };
}

function wrongOperands(message: string): ToolFailure {
  return new ToolFailure(`${message}\n${usage()}`);
}

function usage(): string {
  return `Usage: mkcomposefs [OPTIONS] SOURCE IMAGE
Options:
  --digest-store=PATH   Store content files in this directory
  --use-epoch           Make all mtimes zero
  --skip-devices        Don't store device nodes
  --skip-xattrs         Don't store file xattrs
  --user-xattrs         Only store user.* xattrs
  --print-digest        Print the digest of the image
  --print-digest-only   Print the digest of the image, don't write image
  --from-file           The source is a dump file, not a directory
  --min-version=N       Use this minimal format version (default=0)
  --max-version=N       Use this maximum format version (default=1)
  --threads=N           Use this to override the default number of threads used to calculate digest and copy files (default=${availableParallelism()})
`;
}

const LONG_MAX = 0x7fff_ffff_ffff_ffffn;

/** `strtol(3)` in base 10 over the whole text: too large numbers are the largest. Undefined if it is no number. */
export function strtol(text: string): bigint | undefined {
  const match = /^[\t-\r ]*([+-]?)([0-9]+)$/.exec(text);
  if (match === null) return undefined;
  const [, sign, digits = ''] = match;
  const significant = digits.replace(/^0+(?=.)/, '');
  // A number of millions of digits would take its time.
  const magnitude = significant.length > 19 ? LONG_MAX + 1n : BigInt(significant);
  const value = sign === '-' ? -magnitude : magnitude;
  if (value > LONG_MAX) return LONG_MAX;
  return value < -LONG_MAX - 1n ? -LONG_MAX - 1n : value;
}
