import { chmodSync, lchownSync, linkSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { ByteString } from '../../src/bytes/byte-string.js';
import { makeNode } from '../../src/linux/link.js';
import { setXattr } from '../../src/linux/xattr.js';
import { randomNumbers } from './random.js';

const NAMES = [
  '.a',
  'b.txt',
  '-',
  ' ',
  'a b',
  '=',
  '\\',
  '\\x41',
  '\n',
  '\t',
  '\x7f',
  '\xff\xfe',
  '\xc3\xa9',
  '~',
  '!',
  '.-',
];
const SIZES = [0, 1, 5, 63, 64, 65, 100, 4095, 4096, 4097, 8192, 128 * 4096, 128 * 4096 + 1];
const TARGETS = [1, 7, 60, 255, 1024, 4000, 4095];
const MODES = ['000', '600', '644', '755', '1777', '4755', '2711', '7777'].map((mode) => Number.parseInt(mode, 8));
const OWNERS = [0, 1, 1000, 65535, 65536, 4294967294];
const TIMES = [0, 0, 0, 1, 1633950376, 1633950376.25, 2 ** 31, -1, -1.5, 4294967295];
const XATTR_NAMES = [
  'user.a',
  'user.b',
  'user.overlay.opaque',
  'trusted.foo',
  'trusted.overlay.opaque',
  'trusted.overlay.overlay.x',
  'security.selinux',
  `user.${'n'.repeat(200)}`,
];
const XATTR_VALUES = ['', 'v', 'y', '\0', 'a=b \n', 'system_u:object_r:etc_t:s0\0', 'x'.repeat(300)];

const S_IFSOCK = 0xc000;
const S_IFBLK = 0x6000;
const S_IFCHR = 0x2000;
const S_IFIFO = 0x1000;

export interface RandomDirectoryOptions {
  /** Default true. */
  readonly whiteouts?: boolean;
}

/**
 * Fills an empty directory with inodes of all types, with odd names, owners, modes, times and xattrs, hard links, and
 * sizes around every threshold. Needs root, and a file system with `trusted.*` and `user.*` xattrs.
 */
export function fillRandomDirectory(path: string, seed: number, options: RandomDirectoryOptions = {}): void {
  new Filler(randomNumbers(seed), options.whiteouts ?? true).fill(Buffer.from(path));
}

class Filler {
  readonly #random: (limit: number) => number;
  readonly #whiteouts: boolean;
  readonly #files: Buffer[] = [];
  /** Directories get their times last, since filling them changes those. */
  readonly #directories: Buffer[] = [];

  constructor(random: (limit: number) => number, whiteouts: boolean) {
    this.#random = random;
    this.#whiteouts = whiteouts;
  }

  fill(root: Buffer): void {
    const entries = this.#random(20) === 0 ? 400 : this.#random(40);
    this.#directories.push(root);
    for (let i = 0; i < entries; i++) this.#addEntry(i);
    for (const directory of this.#directories.reverse()) this.#setMetadata(directory, false);
  }

  #pick<T>(choices: readonly T[]): T {
    const choice = choices[this.#random(choices.length)];
    if (choice === undefined) throw new Error('nothing to choose from');
    return choice;
  }

  #addEntry(index: number): void {
    const parent = this.#pick(this.#directories);
    const path = Buffer.concat([parent, Buffer.from('/'), Buffer.from(this.#name(index), 'latin1')]);
    switch (this.#random(12)) {
      case 0:
      case 1:
        mkdirSync(path);
        this.#directories.push(path);
        return;
      case 2:
        symlinkSync('t'.repeat(this.#pick(TARGETS)), path);
        this.#setMetadata(path, true);
        return;
      case 3:
        this.#addNode(path);
        return;
      case 4:
        if (this.#files.length > 0) {
          linkSync(this.#pick(this.#files), path);
          return;
        }
    }
    writeFileSync(path, Buffer.alloc(this.#pick(SIZES), this.#random(4)));
    this.#files.push(path);
    this.#setMetadata(path, false);
  }

  /** Unique within the tree, whatever the oddity at its end. */
  #name(index: number): string {
    if (this.#random(8) === 0) return `${index}_${'n'.repeat(this.#random(250))}`.slice(0, 255);
    // Names like those of the object directories, which images hide.
    if (this.#random(8) === 0) return index.toString(16).padStart(2, '0');
    return this.#random(2) === 0 ? `${this.#pick(NAMES)}${index}` : `${index}${this.#pick(NAMES)}`;
  }

  #addNode(path: Buffer): void {
    const types = [S_IFSOCK, S_IFIFO, S_IFBLK, S_IFCHR, ...(this.#whiteouts ? [S_IFCHR] : [])];
    const type = this.#pick(types);
    const isDevice = type === S_IFBLK || type === S_IFCHR;
    const devices = [0x103, 0x801, 0xfff00, ...(this.#whiteouts && type === S_IFCHR ? [0, 0] : [])];
    makeNode(path, type | 0o600, isDevice ? this.#pick(devices) : 0);
    this.#setMetadata(path, false);
  }

  #setMetadata(path: Buffer, isSymlink: boolean): void {
    const isSpecial = this.#random(3) === 0;
    for (let count = this.#random(3) === 0 ? this.#random(4) : 0; count > 0; count--) {
      const name = this.#pick(XATTR_NAMES);
      // Only directories and regular files have user xattrs.
      if (name.startsWith('user.') && !this.#isPlain(path)) continue;
      // The C tool fails where a whiteout's marker takes the place of a long value.
      const value = name.endsWith('overlay.opaque') ? 'y' : this.#pick(XATTR_VALUES);
      setXattr(path, name as ByteString, value as ByteString);
    }
    if (isSpecial) lchownSync(path, this.#pick(OWNERS), this.#pick(OWNERS));
    if (isSpecial && !isSymlink) chmodSync(path, this.#pick(MODES));
    const time = this.#pick(TIMES);
    lutimesSync(path, time, time);
  }

  #isPlain(path: Buffer): boolean {
    return this.#files.includes(path) || this.#directories.includes(path);
  }
}
