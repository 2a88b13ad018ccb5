import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { loadZstdEncode } from '../src/compression/zstd/encode.js';
import type { Descriptor } from '../src/oci/model/descriptor.js';
import { type OciDigest, sha256ContentDigest } from '../src/oci/model/digest.js';
import { OCI_IMAGE_CONFIG, OCI_MANIFEST } from '../src/oci/model/media-types.js';
import { hostPlatform } from '../src/oci/model/platform.js';
import { serialiseConfig, serialiseManifest } from '../src/oci/model/serialise.js';
import { blob, LAYER_TYPE, LayoutBuilder } from '../test/support/oci-fixtures.js';
import { paxHeader, tarArchive, tarDirectory, tarFile, tarHardlink, tarSymlink } from '../test/support/tar-builder.js';

/** What a path of the image must be in the end. */
export type Expected =
  | { readonly type: 'file'; readonly content: Buffer; readonly mode: number }
  | { readonly type: 'directory'; readonly mode: number }
  | { readonly type: 'symlink'; readonly target: string };

export interface SelfImage {
  readonly layers: readonly { readonly description: string; readonly size: number }[];
  /** Every path that the image must show, and no other, below `/`. */
  readonly expected: ReadonlyMap<string, Expected>;
}

type Compression = 'gzip' | 'zstd';

/** Gathers the entries of one layer and what they make of the tree. */
class Layer {
  readonly #parts: Buffer[] = [];
  readonly #expected: Map<string, Expected>;

  constructor(expected: Map<string, Expected>) {
    this.#expected = expected;
  }

  directory(path: string): this {
    this.#parts.push(...longName(path), tarDirectory(`${path}/`));
    this.#expected.set(path, { type: 'directory', mode: 0o755 });
    return this;
  }

  file(path: string, content: Buffer, mode = 0o644): this {
    this.#parts.push(...longName(path), tarFile(path, content, { mode }));
    this.#expected.set(path, { type: 'file', content, mode });
    return this;
  }

  symlink(path: string, target: string): this {
    this.#parts.push(...longName(path), tarSymlink(path, target));
    this.#expected.set(path, { type: 'symlink', target });
    return this;
  }

  hardlink(path: string, target: string): this {
    this.#parts.push(tarHardlink(path, target));
    const existing = this.#expected.get(target);
    if (existing !== undefined) this.#expected.set(path, existing);
    return this;
  }

  /** Removes a file of an earlier layer. */
  whiteout(directory: string, name: string): this {
    this.#parts.push(tarFile(`${directory}/.wh.${name}`, ''));
    this.#expected.delete(`${directory}/${name}`);
    return this;
  }

  /** Copies a folder of this machine. */
  tree(path: string, source: string): this {
    this.directory(path);
    for (const name of readdirSync(source).sort()) {
      const from = join(source, name);
      const stat = lstatSync(from);
      const to = `${path}/${name}`;
      if (stat.isDirectory()) this.tree(to, from);
      else if (stat.isSymbolicLink()) this.symlink(to, readlinkSync(from));
      else if (stat.isFile()) this.file(to, readFileSync(from), stat.mode & 0o755);
    }
    return this;
  }

  tar(): Buffer {
    return tarArchive(this.#parts);
  }
}

/** Writes an OCI layout whose tag `latest` is this package, built, with all that it needs to run. */
export async function writeSelfImage(packageRoot: string, layout: string): Promise<SelfImage> {
  const expected = new Map<string, Expected>();
  const { dependencies } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const modules = 'usr/lib/node_modules';

  const base = new Layer(expected).directory('usr').directory('usr/bin').directory('usr/lib').directory(modules);
  base.directory('etc').file('etc/os-release', Buffer.from('NAME="composefs-oci demo"\nID=composefs-oci-demo\n'));
  base.file('etc/hostname', Buffer.from('demo\n')).file('etc/motd', Buffer.from('Gone in the last layer.\n'));
  for (const name of Object.keys(dependencies).sort()) {
    const [scope, inner] = name.split('/');
    if (inner !== undefined && !expected.has(`${modules}/${scope}`)) base.directory(`${modules}/${scope}`);
    base.tree(`${modules}/${name}`, join(packageRoot, 'node_modules', name));
  }

  const own = new Layer(expected).directory(`${modules}/composefs-oci`).directory(`${modules}/composefs-oci/dist`);
  own.file(`${modules}/composefs-oci/package.json`, readFileSync(join(packageRoot, 'package.json')));
  own.tree(`${modules}/composefs-oci/dist/lib`, join(packageRoot, 'dist/lib'));

  const top = new Layer(expected).symlink('usr/bin/cfsctl', '../lib/node_modules/composefs-oci/dist/lib/cfsctl.js');
  top.hardlink('etc/hostname.copy', 'etc/hostname').whiteout('etc', 'motd');

  const layers: { description: string; tar: Buffer; compression: Compression }[] = [
    { description: 'the dependencies', tar: base.tar(), compression: 'gzip' },
    { description: 'the package', tar: own.tar(), compression: 'zstd' },
    { description: 'a command, a hard link and a whiteout', tar: top.tar(), compression: 'gzip' },
  ];
  await writeLayout(layout, layers);
  return {
    layers: layers.map(({ description, tar, compression }) => ({
      description: `${description} (tar+${compression})`,
      size: tar.length,
    })),
    expected,
  };
}

async function writeLayout(path: string, layers: readonly { tar: Buffer; compression: Compression }[]): Promise<void> {
  const encode = await loadZstdEncode();
  const builder = new LayoutBuilder();
  const descriptors: Descriptor[] = [];
  const diffIds: OciDigest[] = [];
  for (const { tar, compression } of layers) {
    const bytes = compression === 'gzip' ? gzipSync(tar) : Buffer.concat([...encode([tar])]);
    descriptors.push(blob(`${LAYER_TYPE}+${compression}`, bytes).descriptor);
    diffIds.push(sha256ContentDigest(tar));
    builder.addBlob(bytes);
  }
  const platform = hostPlatform();
  const rootfs = { type: 'layers', diff_ids: diffIds };
  const { architecture, os } = platform;
  const config = blob(OCI_IMAGE_CONFIG, serialiseConfig({ architecture, os, config: { Cmd: ['cfsctl'] }, rootfs }));
  const manifestJson = serialiseManifest({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: config.descriptor,
    layers: descriptors,
  });
  const manifest = blob(OCI_MANIFEST, manifestJson);
  builder.addBlob(config.bytes).addBlob(manifest.bytes);
  builder.addEntry({
    ...manifest.descriptor,
    platform: { architecture, os },
    annotations: { 'org.opencontainers.image.ref.name': 'latest' },
  });
  builder.write(path);
}

/** A PAX header where the name does not fit into the 100 bytes of a tar header. */
function longName(path: string): Buffer[] {
  return Buffer.byteLength(path) < 100 ? [] : [paxHeader([['path', path]])];
}
