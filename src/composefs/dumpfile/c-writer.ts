/** Writing dumpfiles as `composefs-info dump` of the C tools does (spec 30 §13.1). */

import { type ByteString, byteStringFromText } from '../../bytes/byte-string.js';
import { objectPathname } from '../fsverity/object-id.js';
import { Directory } from '../tree/directory.js';
import { fileTypeBits, type Inode, type Leaf, type LeafContent, S_IFDIR } from '../tree/inode.js';
import { escapeField, formatXattrs } from './escape.js';
import { type ContentFields, contentFields } from './format.js';
import { dumpOrder } from './order.js';

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
}

/** The lines, each with its LF. */
export function* writeCDumpfile(root: Directory, options: CDumpOptions): Generator<string> {
  const { stored } = options;
  const firstPaths = new Map<Leaf, string>();
  for (const { escapedPath, inode } of dumpOrder(root, byteStringFromText('/'))) {
    let target: string | undefined;
    if (!(inode instanceof Directory)) {
      target = firstPaths.get(inode);
      if (target === undefined) firstPaths.set(inode, escapedPath);
    }
    yield `${inodeLine(escapedPath, inode, stored(inode), target)}\n`;
  }
}

/** A hard link has the fields of its target, with the path of that as its payload and `@` before the mode. */
function inodeLine(path: string, inode: Inode, stored: StoredInode, target: string | undefined): string {
  const { stat } = inode;
  const isDirectory = inode instanceof Directory;
  const fields = isDirectory ? NO_FIELDS : fieldsOf(inode.content);
  const mode = (stat.mode | (isDirectory ? S_IFDIR : fileTypeBits(inode.content))).toString(8);
  return (
    `${path} ${stored.size} ${target === undefined ? '' : '@'}${mode} ${stored.nlink} ${stat.uid} ${stat.gid} ` +
    `${fields.rdev} ${stat.mtimeSec}.${stat.mtimeNsec} ${target ?? fields.payload} ${fields.content} ` +
    `${fields.digest}${formatXattrs(stored.xattrs ?? stat.xattrs)}`
  );
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
        payload: escapeField(file.payload ?? (objectPathname(file.id) as ByteString)),
        digest: file.id,
      };
    case 'external-no-verity':
      return { ...NO_FIELDS, payload: escapeField(file.payload) };
    case 'inline':
    case 'sparse':
      return contentFields(content);
  }
}
