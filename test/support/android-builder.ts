/** Android boot images of header version 2 with pages of 2 KiB (spec 50 §9.1). */

export interface AndroidParts {
  readonly kernel?: string;
  readonly ramdisk?: string;
  readonly second?: string;
  readonly dtbo?: string;
  readonly dtb?: string;
  readonly cmdline?: Buffer;
  readonly extra?: Buffer;
}

const PAGE = 2048;

export function androidImage(parts: AndroidParts): Buffer {
  const header = Buffer.alloc(PAGE);
  header.write('ANDROID!');
  header.writeUInt32LE(PAGE, 36);
  header.writeUInt32LE(2, 40);
  parts.cmdline?.copy(header, 64);
  parts.extra?.copy(header, 608);
  header.writeUInt32LE(1660, 1644);
  const payloads = [
    [8, parts.kernel],
    [16, parts.ramdisk],
    [24, parts.second],
    [1632, parts.dtbo],
    [1648, parts.dtb],
  ] as const;
  const pages = payloads.map(([field, text = '']) => {
    header.writeUInt32LE(text.length, field);
    const page = Buffer.alloc(Math.ceil(text.length / PAGE) * PAGE);
    page.write(text);
    return page;
  });
  return Buffer.concat([header, ...pages]);
}
