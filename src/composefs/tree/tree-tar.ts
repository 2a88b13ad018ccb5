import { type ByteString, concatBytes } from '../../bytes/byte-string.js';
import { TAR_END, type TarMember, tarMemberHeader, tarPadding } from '../../tar/tar-writer.js';
import { Directory, deviceNumbers, fileSize, type Inode, type Leaf, type RegularFile } from './inode.js';
import { type ObjectSource, readFileChunks } from './read-file.js';

export interface TreeTarOptions {
  /** Told about what a tar cannot hold: sockets. */
  readonly onSkipped?: (path: ByteString) => void;
}

const ROOT = './' as ByteString;
const EMPTY = '' as ByteString;
const ZEROS: Buffer = Buffer.alloc(256 * 1024);

/**
 * A tree as a tar: the root first as `./`, a directory before what is in it, names in byte order; further names of an
 * inode are hard links to the first. The same tree always gives the same bytes. Nothing recurses.
 *
 * @throws ComposefsError `WRONG_FILE_SIZE`, and what reading objects throws.
 */
export function* treeTar(root: Directory, objects: ObjectSource, options: TreeTarOptions = {}): Generator<Buffer> {
  const firstNames = new Map<Leaf, ByteString>();
  yield tarMemberHeader(member('directory', ROOT, root));
  const levels = [{ path: EMPTY, entries: root.entries() }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const next = level.entries.next();
    if (next.done === true) {
      levels.pop();
      continue;
    }
    const [name, inode] = next.value;
    const path = concatBytes(level.path, name);
    if (inode instanceof Directory) {
      const below = concatBytes(path, '/' as ByteString);
      yield tarMemberHeader(member('directory', below, inode));
      levels.push({ path: below, entries: inode.entries() });
      continue;
    }
    const first = firstNames.get(inode);
    if (first !== undefined) {
      yield tarMemberHeader({ ...member('hardlink', path, inode), linkTarget: first });
      continue;
    }
    firstNames.set(inode, path);
    yield* leafEntry(path, inode, objects, options);
  }
  yield TAR_END;
}

function* leafEntry(
  path: ByteString,
  leaf: Leaf,
  objects: ObjectSource,
  { onSkipped }: TreeTarOptions,
): Generator<Buffer> {
  const { content } = leaf;
  switch (content.type) {
    case 'regular': {
      const size = fileSize(content.file);
      yield tarMemberHeader({ ...member('file', path, leaf), size });
      yield* fileContent(content.file, objects);
      yield tarPadding(size);
      return;
    }
    case 'symlink':
      yield tarMemberHeader({ ...member('symlink', path, leaf), linkTarget: content.target });
      return;
    case 'character-device':
    case 'block-device':
      yield tarMemberHeader({ ...member(content.type, path, leaf), device: deviceNumbers(content.rdev) });
      return;
    case 'fifo':
      yield tarMemberHeader(member('fifo', path, leaf));
      return;
    case 'socket':
      onSkipped?.(path);
  }
}

function member(type: TarMember['type'], path: ByteString, { stat }: Inode): TarMember {
  return { type, path, ...stat };
}

function* fileContent(file: RegularFile, objects: ObjectSource): Generator<Buffer> {
  yield* readFileChunks(file, objects);
  if (file.storage !== 'sparse') return;
  for (let rest = file.size; rest > 0; rest -= ZEROS.length) yield ZEROS.subarray(0, Math.min(rest, ZEROS.length));
}
