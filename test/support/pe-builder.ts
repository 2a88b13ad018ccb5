/** PE executables with nothing but headers and sections: what UKIs are to a reader of their sections (spec 50 §27.5). */

export interface PeSection {
  readonly name: string;
  readonly data: Buffer;
  /** Default: the length of the data. */
  readonly virtualSize?: number;
  /** Default: where the data is. */
  readonly offset?: number;
}

export function buildPe(sections: readonly PeSection[], optionalHeaderSize = 0): Buffer {
  const dos = Buffer.alloc(64);
  dos.write('MZ');
  dos.writeUInt32LE(64, 0x3c);
  const coff = Buffer.alloc(24);
  coff.write('PE\0\0');
  coff.writeUInt16LE(0x8664, 4);
  coff.writeUInt16LE(sections.length, 6);
  coff.writeUInt16LE(optionalHeaderSize, 20);
  let offset = 64 + 24 + optionalHeaderSize + 40 * sections.length;
  const headers = sections.map((section) => {
    const header = Buffer.alloc(40);
    header.write(section.name, 'latin1');
    header.writeUInt32LE(section.virtualSize ?? section.data.length, 8);
    header.writeUInt32LE(section.data.length, 16);
    header.writeUInt32LE(section.offset ?? offset, 20);
    offset += section.data.length;
    return header;
  });
  return Buffer.concat([dos, coff, Buffer.alloc(optionalHeaderSize), ...headers, ...sections.map(({ data }) => data)]);
}

/** A UKI with a command line. */
export function buildUki(cmdline: string, osrel = 'PRETTY_NAME="Test OS"\nVERSION_ID=1\n'): Buffer {
  return buildPe([
    { name: '.osrel', data: Buffer.from(osrel) },
    { name: '.cmdline', data: Buffer.from(cmdline) },
    { name: '.linux', data: Buffer.alloc(3000, 'k') },
    { name: '.initrd', data: Buffer.alloc(2000, 'i') },
  ]);
}
