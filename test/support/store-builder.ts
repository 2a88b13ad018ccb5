import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Crc64 } from '../../src/storage/crc64.js';
import { bigDataFileName, type StoreDriver } from '../../src/storage/store.js';
import { entryPath } from '../../src/tar/entry.js';
import { hasFileContent } from '../../src/tar/entry-type.js';
import { TarParser } from '../../src/tar/parser.js';
import type { TestImage } from './oci-fixtures.js';
import { sha256 } from './sha256.js';
import { TAR_BLOCK } from './tar-builder.js';

/** One line of a tar-split, as containers/storage writes it. */
export interface TarSplitLine {
  type: number;
  name?: string;
  name_raw?: string;
  size?: number;
  payload: string | null;
  position: number;
}

/** What {@link StoreBuilder} has made of a layer. */
export interface BuiltLayer {
  readonly id: string;
  readonly diffId: string;
  /** Where its files are. */
  readonly directory: string;
}

/**
 * Writes stores of containers/storage: the files that readers of images need, without a program of that. Whiteouts,
 * links and devices are left out of the layers' directories.
 */
export class StoreBuilder {
  readonly root: string;
  readonly driver: StoreDriver;
  readonly layers: object[] = [];
  readonly images: object[] = [];

  constructor(root: string, driver: StoreDriver = 'overlay') {
    this.root = root;
    this.driver = driver;
    const names = [driver, `${driver}-layers`, `${driver}-images`, driver === 'overlay' ? 'overlay/l' : 'vfs/dir'];
    for (const name of names) mkdirSync(join(root, name), { recursive: true });
    for (const of of ['layers', 'images']) writeFileSync(join(root, `${driver}-${of}`, `${of}.lock`), '');
  }

  /** Adds an image of {@link buildImage}, whose layers are given as tars. */
  addImage(image: TestImage, tars: readonly Buffer[], names: readonly string[]): BuiltLayer[] {
    const id = image.config.descriptor.digest.replace('sha256:', '');
    const built: BuiltLayer[] = [];
    for (const tar of tars) built.push(this.addLayer(tar, built.at(-1)?.id));
    const { digest } = image.manifest.descriptor;
    const bigData: Record<string, Buffer> = {
      [`sha256:${id}`]: image.config.bytes,
      [`manifest-${digest}`]: image.manifest.bytes,
      manifest: image.manifest.bytes,
    };
    const directory = join(this.root, `${this.driver}-images`, id);
    mkdirSync(directory, { recursive: true });
    for (const [key, bytes] of Object.entries(bigData)) writeFileSync(join(directory, bigDataFileName(key)), bytes);
    this.images.push({
      id,
      digest,
      names,
      layer: built.at(-1)?.id,
      'big-data-names': Object.keys(bigData),
      created: '2026-01-02T03:04:05Z',
    });
    this.write();
    return built;
  }

  /** Adds a layer as containers/storage calls and keeps it. */
  addLayer(tar: Buffer, parent?: string): BuiltLayer {
    const diff = sha256(tar);
    const id = parent === undefined ? diff : sha256(`${parent}+sha256:${diff}`);
    const diffId = `sha256:${diff}`;
    const directory =
      this.driver === 'overlay' ? join(this.root, 'overlay', id, 'diff') : join(this.root, 'vfs', 'dir', id);
    mkdirSync(directory, { recursive: true });
    if (this.driver === 'overlay') this.#link(id, parent);
    this.writeTarSplit(id, unpack(tar, directory));
    this.layers.push({ id, ...(parent !== undefined && { parent }), 'diff-digest': diffId, 'diff-size': tar.length });
    this.write();
    return { id, diffId, directory };
  }

  writeTarSplit(id: string, lines: readonly object[]): void {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    writeFileSync(this.tarSplitPath(id), gzipSync(text));
  }

  tarSplitPath(id: string): string {
    return join(this.root, `${this.driver}-layers`, `${id}.tar-split.gz`);
  }

  /** Writes the records of images and layers. */
  write(): void {
    writeFileSync(join(this.root, `${this.driver}-layers`, 'layers.json'), JSON.stringify(this.layers));
    writeFileSync(join(this.root, `${this.driver}-images`, 'images.json'), JSON.stringify(this.images));
  }

  #link(id: string, parent: string | undefined): void {
    const name = linkName(id);
    writeFileSync(join(this.root, 'overlay', id, 'link'), name);
    symlinkSync(`../${id}/diff`, join(this.root, 'overlay', 'l', name));
    if (parent === undefined) return;
    writeFileSync(join(this.root, 'overlay', id, 'lower'), `l/${linkName(parent)}`);
  }
}

function linkName(id: string): string {
  return id.slice(0, 26).toUpperCase();
}

/** Writes the files of a tar, and returns its tar-split. */
export function unpack(tar: Buffer, directory: string): TarSplitLine[] {
  const lines: TarSplitLine[] = [];
  const add = (line: Omit<TarSplitLine, 'position'>): void => void lines.push({ ...line, position: lines.length });
  const parser = new TarParser();
  let start = 0;
  for (let offset = 0; offset + TAR_BLOCK <= tar.length; ) {
    const step = parser.header(tar.subarray(offset, offset + TAR_BLOCK), offset);
    offset += TAR_BLOCK;
    if (step.type === 'end') break;
    if (step.type === 'more') continue;
    if (step.type !== 'entry') {
      if (step.type === 'extension') parser.extensionData(tar.subarray(offset, offset + step.size));
      offset += Math.ceil(step.size / TAR_BLOCK) * TAR_BLOCK;
      continue;
    }
    const { entry } = step;
    add({ type: 2, payload: tar.subarray(start, offset).toString('base64') });
    start = offset;
    const name = Buffer.from(entryPath(entry), 'latin1');
    const text = name.toString('utf8');
    const named = Buffer.from(text).equals(name) ? { name: text } : { name_raw: name.toString('base64') };
    const content = tar.subarray(offset, offset + entry.size);
    const path = Buffer.concat([Buffer.from(`${directory}/`), name]);
    if (hasFileContent(entry.type)) {
      mkdirSync(dirname(path.toString('latin1')), { recursive: true });
      writeFileSync(path, content);
    } else if (text.endsWith('/')) {
      mkdirSync(path, { recursive: true });
    }
    const crc = new Crc64().update(content).digest().toString('base64');
    add({ type: 1, ...named, ...(entry.size > 0 && { size: entry.size }), payload: entry.size > 0 ? crc : null });
    offset += entry.size;
    start = offset;
    offset = Math.ceil(offset / TAR_BLOCK) * TAR_BLOCK;
  }
  add({ type: 2, payload: tar.subarray(start).toString('base64') });
  return lines;
}
