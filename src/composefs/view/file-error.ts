import { type ByteString, byteStringToText } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';

/** The codes of a {@link FileError}: those of `node:fs` that a path in an image can have. */
export type FileErrorCode = 'ENOENT' | 'ENOTDIR' | 'EISDIR' | 'ELOOP' | 'ENAMETOOLONG' | 'EINVAL';

const TEXTS: Readonly<Record<FileErrorCode, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EISDIR: 'illegal operation on a directory',
  ELOOP: 'too many symbolic links encountered',
  ENAMETOOLONG: 'name too long',
  EINVAL: 'invalid argument',
};

/** What `node:fs` says of a path, of a path in an image: the same code, the same words. */
export class FileError extends ComposefsError {
  declare readonly code: FileErrorCode;
  /** As `node:fs` names it: `open`, `stat`, … */
  readonly syscall: string;
  /** As the caller gave it. */
  readonly path: string;

  constructor(code: FileErrorCode, syscall: string, path: ByteString) {
    const text = byteStringToText(path);
    super(code, `${code}: ${TEXTS[code]}, ${syscall} '${text}'`);
    this.syscall = syscall;
    this.path = text;
  }
}
