import type { Stat } from '../../../src/composefs/tree/stat.js';
import type { TarEntry } from '../../../src/oci/layer/tar-entry.js';

/**
 * How umoci 0.6 unpacks layers (oci/layer/tar_extract.go, UnpackEntry) and how it finds parents (securejoin), step by
 * step over whole paths: slow and without a thought in common with what it is compared with.
 */

interface Dir {
  readonly kind: 'directory';
  stat: Stat | 'implied';
  readonly children: Map<string, Node>;
}
interface Other {
  readonly kind: 'other';
  readonly stat: Stat;
  readonly text: string;
  readonly target: string | undefined;
}
type Node = Dir | Other;

const newDirectory = (): Dir => ({ kind: 'directory', stat: 'implied', children: new Map() });

export class UmociModel {
  readonly #root = newDirectory();
  #upperPaths = new Set<string>();

  startLayer(): void {
    this.#upperPaths = new Set();
  }

  /** False: umoci would stop here with an error, and the tree is not changed. */
  apply(entry: TarEntry): boolean {
    const name = clean(entry.path);
    if (name === '') {
      if (entry.item.type !== 'directory') return false;
      this.#root.stat = entry.stat;
      return true;
    }
    const file = name.slice(name.lastIndexOf('/') + 1);
    const dir = this.#secureJoin(name.slice(0, name.lastIndexOf('/')));
    if (dir === undefined) return false;
    if (file.startsWith('.wh.')) return this.#whiteout(dir, file);
    return this.#unpack(dir, file, entry);
  }

  #whiteout(dir: string, file: string): boolean {
    const isOpaque = file === '.wh..wh..opq';
    const path = isOpaque ? dir : `${dir}/${file.slice('.wh.'.length)}`;
    if (isOpaque || file !== '.wh.') this.#removeLower(path, isOpaque);
    return true;
  }

  #removeLower(path: string, isOpaque: boolean): void {
    const node = this.#lstat(path);
    if (node === undefined) return;
    if (!this.#upperPaths.has(path) && !isOpaque) {
      this.#remove(path);
    } else if (node.kind === 'directory') {
      for (const name of [...node.children.keys()]) this.#removeLower(`${path}/${name}`, false);
    }
  }

  #unpack(dir: string, file: string, { item, stat }: TarEntry): boolean {
    const path = `${dir}/${file}`;
    let node: Node;
    if (item.type === 'directory') {
      const existing = this.#lstat(path);
      node = existing?.kind === 'directory' ? existing : newDirectory();
      node.stat = stat;
    } else if (item.type === 'hardlink') {
      const target = clean(item.target);
      const linkDir = this.#secureJoin(target.slice(0, target.lastIndexOf('/')));
      const linked =
        linkDir === undefined ? undefined : this.#lstat(`${linkDir}/${target.slice(target.lastIndexOf('/') + 1)}`);
      if (linked?.kind !== 'other') return false;
      node = linked;
    } else {
      const { content } = item;
      const text = content.type === 'regular' && content.file.storage === 'inline' ? content.file.data.toString() : '';
      const target = content.type === 'symlink' ? content.target : undefined;
      node = { kind: 'other', stat, text: `${content.type} ${target ?? text}`, target };
    }
    const parent = this.#mkdirAll(dir);
    if (parent === undefined) return false;
    parent.children.set(file, node);
    for (let upper = path; upper !== ''; upper = upper.slice(0, upper.lastIndexOf('/'))) this.#upperPaths.add(upper);
    return true;
  }

  /** securejoin.SecureJoin: a component that is missing counts as a directory. Undefined: a loop. */
  #secureJoin(unsafe: string): string | undefined {
    let current = '';
    let remaining = unsafe;
    let links = 0;
    while (remaining !== '') {
      const slash = remaining.indexOf('/');
      const part = slash < 0 ? remaining : remaining.slice(0, slash);
      remaining = slash < 0 ? '' : remaining.slice(slash + 1);
      const next = clean(`${current}/${part}`);
      const node = this.#lstat(next);
      if (node?.kind !== 'other' || node.target === undefined) {
        current = next;
        continue;
      }
      if (++links > 40) return undefined;
      remaining = `${node.target}/${remaining}`;
      if (node.target.startsWith('/')) current = '';
    }
    return current;
  }

  #lstat(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path.split('/').slice(1)) {
      node = node?.kind === 'directory' ? node.children.get(name) : undefined;
    }
    return node;
  }

  #remove(path: string): void {
    const parent = this.#lstat(path.slice(0, path.lastIndexOf('/')));
    if (parent?.kind === 'directory') parent.children.delete(path.slice(path.lastIndexOf('/') + 1));
  }

  /** Undefined: something on the way is not a directory. Then nothing is made, other than with umoci. */
  #mkdirAll(path: string): Dir | undefined {
    const names = path.split('/').slice(1);
    let node: Node | undefined = this.#root;
    for (const name of names) node = node?.kind === 'directory' ? node.children.get(name) : node;
    if (node !== undefined && node.kind !== 'directory') return undefined;
    let directory = this.#root;
    for (const name of names) {
      const child = directory.children.get(name) ?? newDirectory();
      if (child.kind !== 'directory') return undefined;
      directory.children.set(name, child);
      directory = child;
    }
    return directory;
  }

  /** One line a path: what it is, its stat, and the first path of the same inode. */
  describe(): string[] {
    const lines: string[] = [];
    const first = new Map<Node, string>();
    const visit = (node: Node, path: string): void => {
      const inode = first.get(node) ?? path;
      first.set(node, inode);
      const { stat } = node;
      const meta = stat === 'implied' ? '755 0' : `${stat.mode.toString(8)} ${stat.mtimeSec}`;
      lines.push(`${path} ${node.kind === 'directory' ? 'directory' : node.text} ${meta} ${inode}`);
      if (node.kind !== 'directory') return;
      for (const name of [...node.children.keys()].sort()) visit(node.children.get(name) as Node, `${path}/${name}`);
    };
    // The root's own metadata is not compared: the transformation replaces it.
    for (const name of [...this.#root.children.keys()].sort()) visit(this.#root.children.get(name) as Node, `/${name}`);
    return lines;
  }
}

/** path.Clean("/" + path) of Go, with "" for the root. */
function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.map((part) => `/${part}`).join('');
}
