import { writeDumpfile } from '../../src/composefs/dumpfile/writer.js';
import type { Directory } from '../../src/composefs/tree/inode.js';

/** A tree as a dumpfile. */
export function dumpOf(root: Directory): string {
  return [...writeDumpfile(root)].join('');
}

/** The lines of a tree's dumpfile, without their newlines. */
export function linesOf(root: Directory): string[] {
  return [...writeDumpfile(root)].map((line) => line.trimEnd());
}
