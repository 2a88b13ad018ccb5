const WORD = 2 ** 32;

/** Writes a safe integer as 64-bit two's complement: much faster than by way of a bigint. */
export function encodeInt64(target: Buffer, value: number, offset: number): void {
  target.writeUInt32LE(value >>> 0, offset);
  target.writeInt32LE(Math.floor(value / WORD), offset + 4);
}

/** {@link encodeInt64} through a view. */
export function setInt64(target: DataView, offset: number, value: number): void {
  target.setUint32(offset, value >>> 0, true);
  target.setInt32(offset + 4, Math.floor(value / WORD), true);
}

/**
 * An unsigned 64-bit field as a number. Beyond 2^53 the result is rounded, and not a safe integer: who needs it exact
 * must check that.
 */
export function decodeUint64(source: Buffer, offset: number): number {
  return source.readUInt32LE(offset) + source.readUInt32LE(offset + 4) * WORD;
}

/** {@link decodeUint64} through a view. */
export function getUint64(source: DataView, offset: number): number {
  return source.getUint32(offset, true) + source.getUint32(offset + 4, true) * WORD;
}

/** {@link getUint64} for two's complement. */
export function getInt64(source: DataView, offset: number): number {
  return source.getUint32(offset, true) + source.getInt32(offset + 4, true) * WORD;
}
