import { join } from 'node:path';
import { buildImage, LayoutBuilder, type TestImage } from '../support/oci-fixtures.js';
import type { Random } from '../support/random.js';
import { paxHeader, tarArchive, tarDirectory, tarFile, tarHardlink, tarSymlink } from '../support/tar-builder.js';

/** An image in a layout of its own. */
export interface Layout {
  /** As `oci pull` takes it. */
  readonly reference: string;
  readonly path: string;
  readonly image: TestImage;
}

export interface LayoutShape {
  readonly layers: number;
  /** Of each layer. */
  readonly files: number;
  /** The largest file; most are smaller. */
  readonly maxSize: number;
}

/** Layers as images have them: files of sizes around what is stored inline, links, xattrs, whiteouts of the layer below. */
export function randomLayers(random: Random, { layers, files, maxSize }: LayoutShape): Buffer[] {
  return Array.from({ length: layers }, (_, layer) => {
    const folder = `usr/l${layer}`;
    const parts = [tarDirectory('usr/'), tarDirectory(`${folder}/`)];
    for (let file = 0; file < files; file++) {
      const size = random.pick([0, 30, 64, 65, 500, 4096, 5000, random.below(maxSize)]);
      parts.push(tarFile(`${folder}/f${file}`, random.bytes(size)));
    }
    parts.push(tarSymlink(`${folder}/s`, 'f1'), tarHardlink(`${folder}/h`, `${folder}/f0`));
    parts.push(paxHeader([['SCHILY.xattr.user.a', 'b']]), tarFile(`${folder}/x`, 'x'.repeat(100)));
    if (layer > 0) parts.push(tarFile(`usr/l${layer - 1}/.wh.f0`, ''));
    return tarArchive(parts);
  });
}

/** Writes an image's layout as `<folder>/<name>`. */
export function writeLayout(folder: string, name: string, image: TestImage): Layout {
  const path = new LayoutBuilder().addImage(image, { tag: 'latest' }).write(join(folder, name));
  return { path, image, reference: `oci:${path}:latest` };
}

/** The same config and the same layers, compressed in another way: another manifest. */
export function recompressed(tars: readonly Buffer[], image: TestImage): TestImage {
  const other = buildImage(tars, { compression: 'none' });
  if (!other.config.bytes.equals(image.config.bytes)) throw new Error('the configs differ');
  return other;
}
