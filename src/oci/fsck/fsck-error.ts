import { printable } from '../../bytes/printable.js';

/** One finding of {@link ociFsck} (spec 40 §7.2). The JSON form is the object itself; new types may appear. */
export type OciFsckError =
  | { readonly type: 'manifest-read-failed'; readonly name: string; readonly detail: string }
  | {
      readonly type: 'manifest-digest-mismatch';
      readonly name: string;
      readonly expected: string;
      readonly actual: string;
    }
  | { readonly type: 'manifest-parse-failed'; readonly name: string; readonly detail: string }
  | { readonly type: 'config-ref-missing'; readonly name: string; readonly digest: string }
  | {
      readonly type: 'config-link-mismatch';
      readonly name: string;
      readonly digest: string;
      /** The stream that the manifest names. */
      readonly expected: string;
      /** The stream that the config's own name leads to; empty if it leads nowhere. */
      readonly actual: string;
    }
  | { readonly type: 'config-read-failed'; readonly name: string; readonly detail: string }
  | {
      readonly type: 'config-digest-mismatch';
      readonly name: string;
      readonly expected: string;
      readonly actual: string;
    }
  | { readonly type: 'config-parse-failed'; readonly name: string; readonly detail: string }
  | { readonly type: 'layer-ref-missing'; readonly name: string; readonly diffId: string }
  | { readonly type: 'layer-stream-missing'; readonly name: string; readonly diffId: string }
  | { readonly type: 'layer-check-failed'; readonly name: string; readonly diffId: string; readonly detail: string }
  | { readonly type: 'layer-object-missing'; readonly name: string; readonly diffId: string; readonly detail: string }
  | {
      readonly type: 'layer-digest-mismatch';
      readonly name: string;
      readonly diffId: string;
      readonly detail: string;
    }
  | { readonly type: 'linked-image-missing'; readonly name: string; readonly digest: string; readonly detail: string }
  | { readonly type: 'stream-digest-mismatch'; readonly name: string; readonly detail: string }
  | { readonly type: 'seal-image-missing'; readonly name: string; readonly digest: string; readonly detail: string }
  | { readonly type: 'artifact-layer-ref-missing'; readonly name: string; readonly digest: string }
  | {
      readonly type: 'artifact-layer-object-missing';
      readonly name: string;
      readonly digest: string;
      readonly detail: string;
    }
  | { readonly type: 'ref-resolve-failed'; readonly name: string; readonly detail: string }
  | { readonly type: 'invalid-ref-name'; readonly name: string };

/** `fsck: <type>: <name>: …`: the line that people see, without control characters. */
export function formatOciFsckError(error: OciFsckError): string {
  return printable(`fsck: ${error.type}: ${error.name}: ${describe(error)}`);
}

function describe(error: OciFsckError): string {
  switch (error.type) {
    case 'manifest-read-failed':
    case 'manifest-parse-failed':
    case 'config-read-failed':
    case 'config-parse-failed':
    case 'ref-resolve-failed':
    case 'stream-digest-mismatch':
      return error.detail;
    case 'manifest-digest-mismatch':
    case 'config-digest-mismatch':
      return `expected ${error.expected}, got ${error.actual}`;
    case 'config-ref-missing':
    case 'artifact-layer-ref-missing':
      return error.digest;
    case 'layer-ref-missing':
    case 'layer-stream-missing':
      return error.diffId;
    case 'config-link-mismatch': {
      const actual = error.actual === '' ? 'nowhere' : `to ${error.actual}`;
      return `${error.digest}: the manifest names the stream ${error.expected}, but the config's name leads ${actual}`;
    }
    case 'layer-check-failed':
    case 'layer-digest-mismatch':
    case 'layer-object-missing':
      return `${error.diffId}: ${error.detail}`;
    case 'linked-image-missing':
    case 'seal-image-missing':
    case 'artifact-layer-object-missing':
      return `${error.digest}: ${error.detail}`;
    case 'invalid-ref-name':
      return "leading '@' is reserved for digest references";
  }
}
