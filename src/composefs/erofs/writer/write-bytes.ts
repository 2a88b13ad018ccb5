/** Below this length a loop is faster than the call out of JavaScript. */
const LOOP_MAX = 24;

/** Writes a byte string, or ASCII text; the target is large enough. */
export function writeBytes(target: Buffer, offset: number, bytes: string): void {
  if (bytes.length > LOOP_MAX) {
    target.write(bytes, offset, 'latin1');
    return;
  }
  for (let i = 0; i < bytes.length; i++) target[offset + i] = bytes.charCodeAt(i);
}
