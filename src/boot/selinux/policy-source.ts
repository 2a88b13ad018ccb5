/** Where the files of an image's SELinux policy are read from (spec 50 §3.1, §3.3). */

import { closeSync, constants, openSync } from 'node:fs';
import { type ByteString, byteStringFromText, concatBytes } from '../../bytes/byte-string.js';
import type { Directory } from '../../composefs/tree/inode.js';
import { fileSize } from '../../composefs/tree/inode.js';
import { getDirectory, getDirectoryOpt, getFileOpt } from '../../composefs/tree/lookup.js';
import { type ObjectSource, readFile } from '../../composefs/tree/read-file.js';
import { ComposefsError, withContext } from '../../errors.js';
import { isErrno, readFully, withFd } from '../../fs/files.js';
import { requireRegularFile } from '../../fs/open-file.js';
import { openInRoot } from '../../fs/open-in-root.js';

/** Thirty times what the largest known policy has. */
const FILE_SIZE_MAX = 16 * 1024 * 1024;

const ETC_SELINUX = byteStringFromText('etc/selinux');
const CONFIG = byteStringFromText('config');
const CONTEXTS_FILES = byteStringFromText('contexts/files');

/** The files of a policy; undefined for those that are not there. */
export interface PolicySource {
  readConfig(): Buffer | undefined;
  /** A file of `etc/selinux/<policy>/contexts/files`. */
  readPolicyFile(policy: string, name: string): Buffer | undefined;
}

/**
 * The policy in a tree whose large files are objects. Symlinks are not followed.
 *
 * @throws ImageError from all of its functions, if what is there is of another type.
 */
export function policyOfTree(root: Directory, objects: ObjectSource): PolicySource {
  const etcSelinux = getDirectoryOpt(root, ETC_SELINUX);
  return {
    readConfig: () => etcSelinux && openTreeFile(etcSelinux, CONFIG, objects),
    readPolicyFile(policy, name) {
      if (etcSelinux === undefined) return undefined;
      const files = getDirectory(getDirectory(etcSelinux, byteStringFromText(policy)), CONTEXTS_FILES);
      return openTreeFile(files, byteStringFromText(name), objects);
    },
  };
}

/**
 * The content of a regular file in a directory of a tree; undefined if there is none of that name, or a sparse one.
 *
 * @throws ImageError if it is no regular file. ComposefsError `FILE_TOO_LARGE`.
 */
export function openTreeFile(directory: Directory, name: ByteString, objects: ObjectSource): Buffer | undefined {
  const file = getFileOpt(directory, name);
  if (file === undefined || file.storage === 'sparse') return undefined;
  if (fileSize(file) > FILE_SIZE_MAX) throw tooLarge(fileSize(file));
  return readFile(file, objects);
}

/**
 * The policy in a directory on disk. Symlinks are followed as for a process whose root directory it is, so that none
 * leads out; the reference follows them out of it.
 */
export function policyOfDirectory(path: string | Buffer): PolicySource {
  const read = (file: string) => withContext(`Reading ${file}`, () => readBelow(path, byteStringFromText(file)));
  return {
    readConfig: () => read(`${ETC_SELINUX}/${CONFIG}`),
    readPolicyFile: (policy, name) => read(`${ETC_SELINUX}/${policy}/${CONTEXTS_FILES}/${name}`),
  };
}

function readBelow(root: string | Buffer, path: ByteString): Buffer | undefined {
  return withFd(openSync(root, constants.O_RDONLY | constants.O_DIRECTORY), (rootFd) => {
    let fd: number;
    try {
      fd = openInRoot(rootFd, path);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    try {
      const size = requireRegularFile(fd, concatBytes('/' as ByteString, path));
      if (size > FILE_SIZE_MAX) throw tooLarge(size);
      return readFully(fd, FILE_SIZE_MAX);
    } finally {
      closeSync(fd);
    }
  });
}

function tooLarge(size: number): ComposefsError {
  return new ComposefsError('FILE_TOO_LARGE', `file of ${size} bytes is larger than ${FILE_SIZE_MAX} bytes`);
}
