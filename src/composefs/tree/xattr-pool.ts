import { NO_XATTRS, type Xattrs } from './stat.js';

/** More different sets than a usual tree has: what only hostile ones have is not compared with all that came before. */
const KNOWN_MAX = 1024;

/** The different sets of xattrs of a tree by number: most inodes have none, or one of a few labels. */
export class XattrPool {
  readonly #sets: Xattrs[] = [NO_XATTRS];
  readonly #numbers = new Map<string, number>();

  /** The number of a set that is equal; 0 for the empty one. */
  add(xattrs: Xattrs): number {
    if (xattrs.size === 0) return 0;
    if (this.#sets.at(-1) === xattrs) return this.#sets.length - 1;
    const key = keyOf(xattrs);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#sets.push(xattrs) - 1;
      if (this.#numbers.size === KNOWN_MAX) this.#numbers.clear();
      this.#numbers.set(key, number);
    }
    return number;
  }

  get(number: number): Xattrs {
    return this.#sets[number] ?? NO_XATTRS;
  }
}

function keyOf(xattrs: Xattrs): string {
  let key = '';
  for (const [name, value] of xattrs) key += `${name.length},${value.length}:${name}${value}`;
  return key;
}
