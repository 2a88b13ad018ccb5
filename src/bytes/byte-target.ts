/**
 * Bytes to write into: text through the buffer, numbers through the view. V8 compiles the methods of a view in place,
 * and runs them fast before it does; those of a Buffer are functions of many lines.
 */
export interface ByteTarget {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function byteTarget(bytes: Buffer): ByteTarget {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}
