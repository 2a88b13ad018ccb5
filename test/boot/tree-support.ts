import { type ByteString, byteStringFromText } from '../../src/bytes/byte-string.js';
import { computeVerity } from '../../src/composefs/fsverity/digest.js';
import type { ObjectId } from '../../src/composefs/fsverity/object-id.js';
import { Directory, Leaf, type LeafContent, type RegularFile } from '../../src/composefs/tree/inode.js';
import type { ObjectSource } from '../../src/composefs/tree/read-file.js';
import { DEFAULT_DIRECTORY_STAT } from '../../src/composefs/tree/stat.js';

/** Objects in memory, handed out in pieces of a few bytes. */
export class TestObjects implements ObjectSource {
  readonly algorithm = 'sha256';
  readonly #objects = new Map<ObjectId, Buffer>();
  readonly #pieceSize: number;

  constructor(pieceSize = 1000) {
    this.#pieceSize = pieceSize;
  }

  *readObjectChunks(id: ObjectId): Generator<Buffer> {
    const data = this.#objects.get(id);
    if (data === undefined) throw new Error(`object ${id} not found`);
    for (let at = 0; at < data.length; at += this.#pieceSize) yield data.subarray(at, at + this.#pieceSize);
  }

  add(data: string | Uint8Array, size?: number): RegularFile {
    const bytes = Buffer.from(data as string);
    const id = computeVerity(this.algorithm, bytes);
    this.#objects.set(id, bytes);
    return { storage: 'external', id, size: size ?? bytes.length };
  }
}

export function inline(data: string | Uint8Array): RegularFile {
  return { storage: 'inline', data: Buffer.from(data as string) };
}

export function symlink(target: string): LeafContent {
  return { type: 'symlink', target: byteStringFromText(target) };
}

/** A tree of files and others by path; `null` is a directory. Directories on the way are made. */
export function treeOf(contents: Readonly<Record<string, RegularFile | LeafContent | string | null>>): Directory {
  const root = new Directory(DEFAULT_DIRECTORY_STAT);
  for (const [path, content] of Object.entries(contents)) {
    const components = path.split('/').filter((part) => part !== '');
    const name = content === null ? undefined : components.pop();
    let directory = root;
    for (const component of components) directory = child(directory, byteStringFromText(component));
    if (content !== null && name !== undefined) {
      const file = typeof content === 'string' ? inline(content) : content;
      const leaf: LeafContent = 'storage' in file ? { type: 'regular', file } : file;
      directory.insert(byteStringFromText(name), new Leaf(DEFAULT_DIRECTORY_STAT, leaf));
    }
  }
  return root;
}

function child(directory: Directory, name: ByteString): Directory {
  const existing = directory.lookup(name);
  if (existing instanceof Directory) return existing;
  const made = new Directory(DEFAULT_DIRECTORY_STAT);
  directory.insert(name, made);
  return made;
}
