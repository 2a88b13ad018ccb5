const ROW = 16;

/** `+` and the offset in hex, right aligned to 8 columns. */
export function relativeOffset(offset: number): string {
  return `+${offset.toString(16)}`.padStart(8);
}

/** `bytes` in rows of 16 that are aligned to the address of the first byte, `start`. */
export function* hexdump(bytes: Buffer, start: number): Generator<string> {
  const end = start + bytes.length;
  for (let row = start - (start % ROW); row < end; row += ROW) {
    let hex = '';
    let text = '';
    for (let address = row; address < row + ROW; address++) {
      const byte = address < start ? undefined : bytes[address - start];
      hex += byte === undefined ? '   ' : `${byte.toString(16).padStart(2, '0')} `;
      if (address % 8 === 7) hex += ' ';
      text += byte === undefined ? ' ' : byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
    }
    yield `${relativeOffset(row)}  ${hex}|${text}|\n`;
  }
}
