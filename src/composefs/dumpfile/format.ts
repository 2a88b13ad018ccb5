/** Single lines of the RS dumpfile form, without LF (spec 30 §11). Paths come escaped, by `escapeBytes`. */

import type { ByteString } from '../../bytes/byte-string.js';
import { S_IFDIR } from '../../linux/constants.js';
import { objectPathname } from '../fsverity/object-id.js';
import { fileTypeBits, type LeafContent, type RegularFile } from '../tree/inode.js';
import type { Stat, Xattrs } from '../tree/stat.js';
import { escapeField, formatXattrs } from './escape.js';

/** The fields of a line that the type of the inode decides. PAYLOAD, CONTENT and DIGEST are escaped. */
export interface ContentFields {
  readonly size: number;
  readonly rdev: number;
  readonly payload: string;
  readonly content: string;
  readonly digest: string;
}

/** `nlink`: 2 plus the number of subdirectories, in a dump of a tree. */
export function directoryLine(escapedPath: string, stat: Stat, nlink: number): string {
  return inodeLine(escapedPath, stat, S_IFDIR, nlink, NO_CONTENT);
}

/** `nlink`: the number of names, in a dump of a tree; 1 in the dump of a layer. */
export function leafLine(escapedPath: string, stat: Stat, content: LeafContent, nlink: number): string {
  return inodeLine(escapedPath, stat, fileTypeBits(content), nlink, contentFields(content));
}

/** A further name of an inode that was written before as the target. The constant type says nothing about the inode. */
export function hardlinkLine(escapedPath: string, escapedTarget: string): string {
  return `${escapedPath} 0 @120000 - - - - 0.0 ${escapedTarget} - -`;
}

const NO_CONTENT: ContentFields = { size: 0, rdev: 0, payload: '-', content: '-', digest: '-' };

function inodeLine(path: string, stat: Stat, typeBits: number, nlink: number, fields: ContentFields): string {
  const mode = (stat.mode | typeBits).toString(8);
  return (
    `${path} ${fields.size} ${mode} ${nlink} ${stat.uid} ${stat.gid} ${fields.rdev} ` +
    `${stat.mtimeSec}.${stat.mtimeNsec} ${fields.payload} ${fields.content} ${fields.digest}` +
    (stat.xattrs.size === 0 ? '' : formatXattrs(sortedXattrs(stat.xattrs)))
  );
}

/** Also used by the C form, which differs in `external-no-verity` only. */
export function contentFields(content: LeafContent): ContentFields {
  switch (content.type) {
    case 'regular':
      return regularFields(content.file);
    case 'symlink':
      return {
        size: content.target.length,
        rdev: 0,
        payload: escapeField(content.target),
        content: '-',
        digest: '-',
      };
    case 'block-device':
    case 'character-device':
      return { size: 0, rdev: content.rdev, payload: '-', content: '-', digest: '-' };
    case 'fifo':
    case 'socket':
      return NO_CONTENT;
  }
}

function regularFields(file: RegularFile): ContentFields {
  switch (file.storage) {
    case 'inline':
      return {
        size: file.data.length,
        rdev: 0,
        payload: '-',
        content: escapeField(file.data.toString('latin1') as ByteString),
        digest: '-',
      };
    case 'external': {
      const { id, size, payload } = file;
      const path = payload === undefined || payload === '' ? objectPathname(id) : escapeField(payload);
      return { size, rdev: 0, payload: path, content: '-', digest: id };
    }
    case 'external-no-verity':
      // The reference knows such a file by the digest in its payload, and prints that too.
      return { ...NO_CONTENT, size: file.size, payload: escapeField(file.payload), digest: digestInPath(file.payload) };
    case 'sparse':
      return { ...NO_CONTENT, size: file.size };
  }
}

function digestInPath(payload: ByteString): string {
  const match = /(?:^|\/)([0-9a-f]{2})\/([0-9a-f]{62}|[0-9a-f]{126})$/.exec(payload);
  return match === null ? '-' : `${match[1]}${match[2]}`;
}

function sortedXattrs(xattrs: Xattrs): Iterable<readonly [ByteString, ByteString]> {
  return xattrs.size < 2 ? xattrs : [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
}
