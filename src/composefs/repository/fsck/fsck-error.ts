import { printable } from '../../../bytes/printable.js';

/**
 * A finding of the consistency check (spec 10 §18.3): data, never thrown. The order of the fields is that of the JSON.
 * Object ids are bare hex; paths are relative to the repository, with U+FFFD where a name is not UTF-8.
 */
export type FsckError =
  | { readonly type: 'object-invalid-name'; readonly path: string; readonly detail: string }
  | { readonly type: 'object-open-failed'; readonly path: string; readonly detail: string }
  | { readonly type: 'object-digest-mismatch'; readonly path: string; readonly measured: string }
  | { readonly type: 'object-verity-failed'; readonly path: string; readonly detail: string }
  | { readonly type: 'object-verity-missing'; readonly path: string }
  | { readonly type: 'entry-not-symlink'; readonly path: string }
  | { readonly type: 'broken-symlink'; readonly path: string }
  | { readonly type: 'wrong-link'; readonly path: string; readonly detail: string }
  | { readonly type: 'stat-failed'; readonly path: string; readonly detail: string }
  | { readonly type: 'unexpected-file-type'; readonly path: string; readonly detail: string }
  | { readonly type: 'stream-open-failed'; readonly path: string; readonly detail: string }
  | { readonly type: 'missing-object-ref'; readonly path: string; readonly objectId: string }
  | { readonly type: 'stream-read-failed'; readonly path: string; readonly detail: string }
  | {
      readonly type: 'missing-named-ref';
      readonly path: string;
      readonly refName: string;
      readonly objectId: string;
    }
  | {
      readonly type: 'object-check-failed';
      readonly path: string;
      readonly objectId: string;
      readonly detail: string;
    }
  | { readonly type: 'image-open-failed'; readonly path: string; readonly detail: string }
  | { readonly type: 'image-read-failed'; readonly path: string; readonly detail: string }
  | { readonly type: 'image-invalid'; readonly path: string; readonly detail: string }
  | { readonly type: 'image-missing-object'; readonly path: string; readonly objectId: string }
  | { readonly type: 'metadata-parse-failed'; readonly detail: string }
  | { readonly type: 'metadata-algorithm-mismatch'; readonly expected: string; readonly actual: string };

/** One line without control characters, for people and for the wire: names in a repository are anybody's. */
export function formatFsckError(error: FsckError): string {
  return printable(`fsck: ${error.type}: ${describe(error)}`);
}

function describe(error: FsckError): string {
  switch (error.type) {
    case 'object-digest-mismatch':
      return `${error.path}: measured ${error.measured}`;
    case 'object-verity-missing':
    case 'entry-not-symlink':
    case 'broken-symlink':
      return error.path;
    case 'missing-object-ref':
    case 'image-missing-object':
      return `${error.path}: ${error.objectId}`;
    case 'missing-named-ref':
      return `${error.path}: ref ${error.refName}: ${error.objectId}`;
    case 'object-check-failed':
      return `${error.path}: ${error.objectId}: ${error.detail}`;
    case 'metadata-parse-failed':
      return `meta.json: ${error.detail}`;
    case 'metadata-algorithm-mismatch':
      return `meta.json: expected ${error.expected}, repository opened as ${error.actual}`;
    default:
      return `${error.path}: ${error.detail}`;
  }
}
