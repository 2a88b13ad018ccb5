/** Writing dumpfiles as `composefs-info dump` of the C tools does (spec 30 §13.1). */

import { type ByteString, byteStringFromText } from '../../bytes/byte-string.js';
import { S_IFDIR } from '../../linux/constants.js';
import { escapeField, formatXattrs } from '../dumpfile/escape.js';
import { type ContentFields, contentFields } from '../dumpfile/format.js';
import { dumpOrder } from '../dumpfile/order.js';
import { objectPathname } from '../fsverity/object-id.js';
import { Directory, fileTypeBits, type Inode, type Leaf, type LeafContent } from '../tree/inode.js';
import { NO_XATTRS, type Xattrs } from '../tree/stat.js';

/** What an image stores of an inode, and a tree does not hold. */
export interface StoredInode {
  /** `i_size`. */
  readonly size: number;
  readonly nlink: number;
  /** In the order of the image; default: those of the tree's stat in its order. */
  readonly xattrs?: Iterable<readonly [ByteString, ByteString]>;
}

export interface CDumpOptions {
  readonly stored: (inode: Inode) => StoredInode;
  /** The leaves that may have several names. Default: any may. */
  readonly linked?: ReadonlySet<Leaf>;
}

/** The lines, each with its LF. */
export function* writeCDumpfile(root: Directory, options: CDumpOptions): Generator<string> {
  const { stored, linked } = options;
  const firstPaths = new Map<Leaf, string>();
  const xattrTexts = new XattrTexts();
  for (const { escapedPath, inode } of dumpOrder(root, byteStringFromText('/'))) {
    let target: string | undefined;
    if (!(inode instanceof Directory) && linked?.has(inode) !== false) {
      target = firstPaths.get(inode);
      if (target === undefined) firstPaths.set(inode, escapedPath);
    }
    yield `${inodeLine(escapedPath, inode, stored(inode), target, xattrTexts)}\n`;
  }
}

/** A hard link has the fields of its target, with the path of that as its payload and `@` before the mode. */
function inodeLine(
  path: string,
  inode: Inode,
  stored: StoredInode,
  target: string | undefined,
  xattrTexts: XattrTexts,
): string {
  const { stat } = inode;
  const isDirectory = inode instanceof Directory;
  const fields = isDirectory ? NO_FIELDS : fieldsOf(inode.content);
  const mode = (stat.mode | (isDirectory ? S_IFDIR : fileTypeBits(inode.content))).toString(8);
  return (
    `${path} ${stored.size} ${target === undefined ? '' : '@'}${mode} ${stored.nlink} ${stat.uid} ${stat.gid} ` +
    `${fields.rdev} ${stat.mtimeSec}.${stat.mtimeNsec} ${target ?? fields.payload} ${fields.content} ` +
    `${fields.digest}${stored.xattrs === undefined ? xattrTexts.get(stat.xattrs) : formatXattrs(stored.xattrs)}`
  );
}

/** The text of the last xattrs, which are mostly the next ones too: inodes with equal xattrs share them. */
class XattrTexts {
  #xattrs: Xattrs = NO_XATTRS;
  #text = '';

  get(xattrs: Xattrs): string {
    if (xattrs !== this.#xattrs) {
      this.#xattrs = xattrs;
      this.#text = formatXattrs(xattrs);
    }
    return this.#text;
  }
}

type FieldsInUse = Pick<ContentFields, 'rdev' | 'payload' | 'content' | 'digest'>;

const NO_FIELDS: FieldsInUse = { rdev: 0, payload: '-', content: '-', digest: '-' };

function fieldsOf(content: LeafContent): FieldsInUse {
  if (content.type !== 'regular') return contentFields(content);
  const { file } = content;
  switch (file.storage) {
    case 'external':
      return {
        ...NO_FIELDS,
        payload: file.payload === undefined ? objectPathname(file.id) : escapeField(file.payload),
        digest: file.id,
      };
    case 'external-no-verity':
      return { ...NO_FIELDS, payload: escapeField(file.payload) };
    case 'inline':
    case 'sparse':
      return contentFields(content);
  }
}
