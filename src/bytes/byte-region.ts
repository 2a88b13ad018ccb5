/**
 * Bytes with a view of them: text by the buffer, numbers by the view. V8 compiles the methods of a view in place, and runs
 * them fast before it does; those of a Buffer are functions of many lines.
 */
export interface ByteRegion {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function byteRegion(bytes: Buffer): ByteRegion {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}
