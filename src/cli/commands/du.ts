import { findImage, type ImageUsage, imageUsage, type LayerUsage, type StoreUsage } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { renderTable, SHORT_DIGEST } from '../terminal/table.js';
import { describeUsage, diskText, sizeText } from '../terminal/usage-fields.js';

export interface DuOptions {
  readonly layers?: boolean;
  readonly bytes?: boolean;
  readonly json?: boolean;
}

const HEADER = ['SIZE', 'SHARED', 'UNIQUE', 'FREED'];

/** What images and layers take on the disk, what of it they share, and what would be free without them. */
export async function du(context: Context, names: readonly string[], options: DuOptions): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    const images = names.length === 0 ? undefined : await Promise.all(names.map((name) => findImage(repo, name)));
    const layers = options.layers === true || options.json === true || images !== undefined;
    // There is nothing else to do here meanwhile: no thread of its own.
    const usage = await withDelayedProgress((running) => imageUsage(repo, { images, layers, threads: 0, ...running }));
    if (options.json) return await context.output.json(describe(usage));
    if (usage.images.length === 0) return await context.output.line('Nothing is named in the repository');
    await context.output.lines(lines(usage, layers, options.bytes === true));
  });
}

function* lines({ images, total }: StoreUsage, layers: boolean, exact: boolean): Generator<string> {
  const rows = images.map((image) => [nameOf(image), ...columns(image, exact), freed(image, exact)]);
  if (images.length > 1) rows.push(['together', ...columns(total, exact), freed(total, exact)]);
  yield* renderTable(['IMAGE', ...HEADER], rows);
  if (layers) {
    for (const image of images) {
      if (image.layers.length === 0) continue;
      yield '';
      yield `Layers of ${image.name}:`;
      yield* renderTable(
        ['LAYER', ...HEADER],
        image.layers.map((layer) => [shortLayer(layer), ...columns(layer, exact), diskText(layer.freed, exact)]),
      );
    }
  }
  yield '';
  yield 'On the disk. Freed: after the tags are removed (`cfsctl oci untag`) and garbage is collected (`cfsctl gc`).';
}

function columns({ size, shared, unique }: Pick<ImageUsage, 'size' | 'shared' | 'unique'>, exact: boolean): string[] {
  return [size, shared, unique].map((usage) => diskText(usage, exact));
}

/** With the links, which need room as well. */
function freed({ freed, freedLinks }: Pick<ImageUsage, 'freed' | 'freedLinks'>, exact: boolean): string {
  return sizeText(freed.disk + freedLinks.disk, exact);
}

function nameOf({ name, tags, manifestDigest }: ImageUsage): string {
  if (tags.length > 1) return tags.join(', ');
  return tags.length === 0 && manifestDigest !== undefined
    ? manifestDigest.slice(0, 'sha256:'.length + SHORT_DIGEST)
    : name;
}

function shortLayer({ layer }: LayerUsage): string {
  return layer.slice(layer.indexOf(':') + 1).slice(0, SHORT_DIGEST);
}

function describe({ images, total }: StoreUsage): object {
  return {
    images: images.map(({ name, manifestDigest, tags, otherRefs, layers, ...usage }) => ({
      name,
      ...(manifestDigest !== undefined && { manifest_digest: manifestDigest }),
      tags,
      other_refs: otherRefs,
      ...describeShares(usage),
      layers: layers.map(({ layer, size, shared, unique, freed }) => ({
        layer,
        size: describeUsage(size),
        shared: describeUsage(shared),
        unique: describeUsage(unique),
        freed: describeUsage(freed),
      })),
    })),
    total: describeShares(total),
  };
}

function describeShares({ size, shared, unique, freed, freedLinks }: StoreUsage['total']): object {
  return {
    size: describeUsage(size),
    shared: describeUsage(shared),
    unique: describeUsage(unique),
    freed: describeUsage(freed),
    freed_links: describeUsage(freedLinks),
  };
}
