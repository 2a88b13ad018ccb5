import { closeSync, openSync, statSync } from 'node:fs';
import { type ByteString, byteStringFromText, byteStringToBuffer } from '../../bytes/byte-string.js';
import type { Directory } from '../../composefs/index.js';
import { type CTree, listTree, objectPaths, writeCDumpfile } from '../../composefs/mkcomposefs/index.js';
import { withFd } from '../../fs/files.js';
import { errnoMessage } from '../../linux/strerror.js';
import { OptionScanner } from './getopt.js';
import { loadImage, opened, readImageFile } from './read-image.js';
import { STDOUT, writeTexts } from './stdio.js';
import { failuresOf, ToolFailure } from './tool-failure.js';

const TOOL = 'composefs-info';
const USAGE = `usage: ${TOOL} [--basedir=path] [ls|objects|dump|missing-objects|measure-file] IMAGES...\n`;
const { err, errx } = failuresOf(TOOL);

interface InfoOptions {
  readonly command: string;
  readonly paths: readonly string[];
  readonly basedir: string | undefined;
  /** Undefined: everything. */
  readonly filter: ReadonlySet<ByteString> | undefined;
}

/**
 * `composefs-info [--basedir=PATH] [--filter=NAME]… ls|objects|dump|missing-objects|measure-file FILES…` (spec 70 D2)
 *
 * @throws ToolFailure
 */
export async function composefsInfo(args: readonly string[], stdout: number = STDOUT): Promise<number> {
  const options = parseOptions(args, stdout);
  switch (options.command) {
    case 'ls':
      for (const { root } of images(options)) writeTexts(stdout, listTree(root));
      return 0;
    case 'dump':
      for (const tree of images(options)) writeTexts(stdout, writeCDumpfile(tree.root, tree));
      return 0;
    case 'objects':
      writeTexts(stdout, lines(objectPaths(roots(options))));
      return 0;
    case 'missing-objects':
      writeTexts(stdout, lines(objectPaths(roots(options)).filter((path) => !exists(options.basedir, path))));
      return 0;
    case 'measure-file':
      await measureFiles(options.paths, stdout);
      return 0;
    default:
      throw errx(`Unknown command '${options.command}'\n`);
  }
}

function parseOptions(args: readonly string[], stdout: number): InfoOptions {
  let basedir: string | undefined;
  const filter = new Set<ByteString>();
  const scanner = new OptionScanner(args, { long: { basedir: true, filter: true } });
  for (const found of scanner) {
    if (found.kind !== 'option') throw wrongOption(found.message, stdout);
    const { name, value = '' } = found;
    if (name === 'basedir') basedir = value;
    else if (value.includes('/')) throw errx(`Filter must be a single name: ${value}: Success`);
    else filter.add(byteStringFromText(value));
  }
  const [command, ...paths] = scanner.operands;
  if (command === undefined) throw new ToolFailure(`No command specified\n${USAGE}`);
  return { command, paths, basedir, filter: filter.size === 0 ? undefined : filter };
}

function wrongOption(message: string, stdout: number): ToolFailure {
  // A remnant of somebody's debugging, which scripts may see.
  writeTexts(stdout, ['Def\n']);
  return new ToolFailure(`${TOOL}: ${message}\n${USAGE}`);
}

/** One after the other: what is printed of one stays printed if the next fails. */
function* images({ basedir, paths, filter }: InfoOptions): Generator<CTree> {
  if (basedir !== undefined) checkDirectory(basedir);
  if (paths.length === 0) throw new ToolFailure(`No image path specified\n${USAGE}`);
  for (const path of paths) {
    const bytes = readImageFile(TOOL, path, 'Failed to load');
    yield loadImage(TOOL, path, bytes, filter === undefined ? {} : { topLevel: filter });
  }
}

function* roots(options: InfoOptions): Generator<Directory> {
  for (const { root } of images(options)) yield root;
}

function lines(texts: readonly string[]): string[] {
  return texts.map((text) => `${text}\n`);
}

function checkDirectory(path: string): void {
  try {
    if (!statSync(path).isDirectory()) closeSync(openSync(`${path}/`, 'r'));
  } catch (error) {
    throw err(`Can't open basedir \`${path}\`\n`, error);
  }
}

function exists(basedir: string | undefined, path: ByteString): boolean {
  if (basedir === undefined) return false;
  try {
    statSync(Buffer.concat([Buffer.from(`${basedir}/`), byteStringToBuffer(path)]));
    return true;
  } catch {
    return false;
  }
}

async function measureFiles(paths: readonly string[], stdout: number): Promise<void> {
  if (paths.length === 0) throw new ToolFailure(`No files specified\n${USAGE}`);
  // Foreign calls and hashes, which nothing else here needs.
  const { measureVerityOpt } = await import('../../composefs/fsverity/kernel.js');
  const { computeVerityOfFd } = await import('../../composefs/fsverity/digest.js');
  for (const path of paths) {
    withFd(opened(TOOL, path), (fd) => {
      const known = measured(path, () => measureVerityOpt(fd, 'sha256'));
      // The C library forgets why a file could not be read.
      const digest = known ?? measured(path, () => computeVerityOfFd('sha256', fd), 'No data available');
      writeTexts(stdout, [`${digest}\n`]);
    });
  }
}

function measured<T>(path: string, measure: () => T, reason?: string): T {
  try {
    return measure();
  } catch (error) {
    throw new ToolFailure(`failed to measure '${path}': ${reason ?? errnoMessage(error)}`);
  }
}
