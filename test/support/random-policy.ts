import { linkSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeNode } from '../../src/linux/link.js';

/** As of `randomNumbers`: from 0 to `limit` - 1. */
type Random = (limit: number) => number;

const DIRECTORIES = ['usr', 'lib', 'lib64', 'bin', 'home', 'ann', 'log', 'x.d', 'foo-1', '.ssh', 'é'];
const FILES = [
  'a',
  'ab',
  'A1',
  'x.so',
  'x.so.1',
  'foo',
  'foo-bar',
  '_b',
  '.cfg',
  'ld-2.36.so',
  'é',
  'a b',
  'x\ny',
  '[',
];
const TYPES = ['--', '-d', '-l', '-p', '-s', '-b', '-c'];
/** What the patterns of reference policies are made of, and PCRE's lookarounds. */
const PIECES = [
  '(/.*)?',
  '/.*',
  '/[^/]*',
  '/[^/]+',
  '(/[^/]*)?',
  '.*\\.so(\\.[^/]*)?',
  '.*\\.so\\.?[0-9]*',
  '(64)?',
  '(s)?bin',
  '(x32|64|exec)?',
  '/[a-z]+[0-9]*',
  '[^-]',
  '[-_.]?',
  '/\\.[^/]*',
  '.+',
  '(-[0-9.]+)?',
  '[[:alpha:]_]{1,2}',
  '/\\.\\.?',
  '\\.[0-9]{1,}',
  '(\\.so|/x)',
  '[]x[]',
  '\\w+',
  '\\d?',
  '\\W',
  '(?i:FOO)',
  '(?:a|ab)',
  'é?',
  '[^a-zA-Z0-9]',
  '(?=.*o)',
  '(?!.*s)',
  '(?<=o)',
  '(?<!x)',
  '\\b',
  '(/|$)',
  '(|/a)',
];
const HOMEDIRS = ['/home/[^/]+', '/home/[^/]*/\\.ssh(/.*)?', '/home', '/home/ann/.+', '/usr/home/\\w+(/.*)?'];

/** A directory of all types that has `/usr`, `/boot`, `/sysroot` and a policy made at random. Needs root. */
export function fillBootableDirectory(path: string, random: Random): void {
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
  const links: string[] = [];
  const fill = (at: string, depth: number) => {
    for (let i = random(10); i > 0; i--) {
      const name = join(at, pick(depth > 0 && random(2) === 0 ? DIRECTORIES : FILES));
      try {
        make(name, depth);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  };
  const make = (name: string, depth: number) => {
    const directories = depth > 0 ? 6 : 0;
    const kind = random(8 + directories);
    if (kind >= 8) {
      mkdirSync(name);
      fill(name, depth - 1);
    } else if (kind === 0) symlinkSync('target', name);
    else if (kind === 1) makeNode(Buffer.from(name), pick([0o010600, 0o140600]), 0);
    else if (kind === 2) makeNode(Buffer.from(name), pick([0o020600, 0o060600]), 0x103);
    else if (kind < 6 && links.length > 0) linkSync(pick(links), name);
    else {
      writeFileSync(name, 'x'.repeat(random(100)), { flag: 'wx' });
      links.push(name);
    }
  };
  for (const name of ['usr', 'usr/lib', 'boot', 'sysroot', 'home', 'etc']) mkdirSync(join(path, name));
  for (const name of ['', 'usr', 'usr', 'boot', 'home', 'etc']) fill(join(path, name), 3);
  writePolicy(path, random, pick);
  for (const name of ['usr', 'boot', 'sysroot']) {
    lutimesSync(join(path, name), 0, 1000 + random(1000) + random(1000) / 1000);
  }
}

function writePolicy(path: string, random: Random, pick: <T>(from: readonly T[]) => T): void {
  if (random(12) === 0) return;
  const files = join(path, 'etc/selinux/test/contexts/files');
  mkdirSync(files, { recursive: true });
  writeFileSync(join(path, 'etc/selinux/config'), ' # SELINUXTYPE=no\nSELINUX=disabled\n selinuxType = test \n');
  const write = (name: string, lines: readonly string[]) => writeFileSync(join(files, name), `${lines.join('\n')}\n`);
  const context = () => (random(8) === 0 ? '<<none>>' : `system_u:object_r:t${random(30)}_t:s0`);
  const spec = (pattern: string) =>
    `${pattern}${pick(['\t', '  '])}${random(3) === 0 ? `${pick(TYPES)}\t` : ''}${context()}`;
  const specs = (count: number) => Array.from({ length: random(count) }, () => spec(randomPattern(random, pick)));
  write('file_contexts', ['# comment', '', ...specs(40), ...(random(2) === 0 ? [spec('/.*')] : []), ...specs(20)]);
  if (random(2) === 0) write('file_contexts.local', specs(5));
  if (random(2) === 0) write('file_contexts.homedirs', HOMEDIRS.filter(() => random(2) === 0).map(spec));
  const place = () => `/${Array.from({ length: 1 + random(3) }, () => pick(DIRECTORIES)).join('/')}`;
  const alias = () => `${place()} ${place()}${pick(['', '', '', '/', '/.', '//', '/./.'])}`;
  for (const name of ['file_contexts.subs', 'file_contexts.subs_dist']) {
    if (random(2) === 0) write(name, ['# aliases', ...Array.from({ length: random(8) }, alias)]);
  }
}

function randomPattern(random: Random, pick: <T>(from: readonly T[]) => T): string {
  let pattern = '';
  for (let i = random(4); i > 0; i--) pattern += `/${escapeName(pick(DIRECTORIES))}`;
  if (random(3) === 0 || pattern === '') pattern += `/${escapeName(pick(FILES.filter((name) => !/\s/.test(name))))}`;
  for (let i = random(3); i > 0; i--) {
    const at = random(4) === 0 ? pattern.lastIndexOf('/') : pattern.length;
    pattern = pattern.slice(0, at) + pick(PIECES) + pattern.slice(at);
  }
  return pattern;
}

function escapeName(name: string): string {
  return name.replace(/[.[\]]/g, '\\$&');
}
