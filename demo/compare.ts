import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { computeVerity } from '../src/composefs/fsverity/digest.js';
import type { Expected } from './self-image.js';

/** Differences between what is mounted at `root` and what the image was made of; empty if there is none. */
export function compareMount(root: string, expected: ReadonlyMap<string, Expected>): string[] {
  const differences: string[] = [];
  const seen = new Set<string>();
  const visit = (path: string): void => {
    for (const name of readdirSync(join(root, path))) {
      const inner = path === '' ? name : `${path}/${name}`;
      seen.add(inner);
      const wanted = expected.get(inner);
      if (wanted === undefined) differences.push(`${inner}: not in the image`);
      else if (!isEqual(join(root, inner), wanted)) differences.push(`${inner}: differs`);
      if (lstatSync(join(root, inner)).isDirectory()) visit(inner);
    }
  };
  visit('');
  for (const path of expected.keys()) {
    if (!seen.has(path)) differences.push(`${path}: missing`);
  }
  return differences;
}

function isEqual(path: string, wanted: Expected): boolean {
  const stat = lstatSync(path);
  if (wanted.type === 'symlink') return stat.isSymbolicLink() && readlinkSync(path) === wanted.target;
  if ((stat.mode & 0o7777) !== wanted.mode) return false;
  if (wanted.type === 'directory') return stat.isDirectory();
  return stat.isFile() && readFileSync(path).equals(wanted.content);
}

/**
 * The same without a mount: compares a dumpfile, whose lines state the fs-verity digest of each file's content
 * (sha512), or the content itself.
 */
export function compareDump(dump: string, expected: ReadonlyMap<string, Expected>): string[] {
  const lines = new Map<string, string[]>();
  for (const line of dump.split('\n')) {
    const fields = line.split(' ');
    if (line !== '' && fields[0] !== '/') lines.set((fields[0] ?? '').slice(1), fields);
  }
  const differences: string[] = [];
  for (const [path, wanted] of expected) {
    const fields = lines.get(path);
    if (fields === undefined) differences.push(`${path}: missing`);
    else if (!matchesLine(fields, wanted, lines)) differences.push(`${path}: differs`);
    lines.delete(path);
  }
  for (const path of lines.keys()) differences.push(`${path}: not in the image`);
  return differences;
}

function matchesLine(fields: readonly string[], wanted: Expected, lines: ReadonlyMap<string, string[]>): boolean {
  const [, size, mode = '', , , , , , payload = '', content = '', digest] = fields;
  if (mode.startsWith('@')) {
    const target = lines.get(payload.slice(1));
    return target === undefined || matchesLine(target, wanted, lines);
  }
  if (wanted.type === 'symlink') return mode === '120777' && payload === wanted.target;
  if (wanted.type === 'directory') return mode === `4${wanted.mode.toString(8).padStart(4, '0')}`;
  if (mode !== `10${wanted.mode.toString(8).padStart(4, '0')}` || Number(size) !== wanted.content.length) return false;
  if (digest !== '-') return digest === computeVerity('sha512', wanted.content);
  return wanted.content.length <= 64 && (content === '-') === (wanted.content.length === 0);
}
