import { statfsSync } from 'node:fs';
import { ReferenceGraph } from '../../composefs/account/reference-graph.js';
import { visitStoreFiles } from '../../composefs/account/store-files.js';
import { type Usage, UsageSum } from '../../composefs/account/usage.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { LongCallOptions } from '../../threads/jobs.js';
import { Turns } from '../../threads/turns.js';
import {
  BLOB_CONTENT_TYPE,
  CONFIG_CONTENT_TYPE,
  IMAGE_REF_KEY,
  LAYER_CONTENT_TYPE,
  MANIFEST_CONTENT_TYPE,
} from '../store/identifiers.js';

/** What the files of a repository are for, in the order in which they are shown. */
export const STORE_KINDS = [
  'layer-files',
  'other-files',
  'blobs',
  'images',
  'streams',
  'documents',
  'unreachable',
  'links',
  'partial-downloads',
  'leftovers',
  'metadata',
  'directories',
  'other',
] as const;

/**
 * - `layer-files`, `other-files`: contents of files, of layers and of images that are named themselves;
 * - `blobs`: of artifacts; `documents`: configs and manifests; `streams`: splitstreams; `images`: EROFS images;
 * - `unreachable`: objects that the next garbage collection removes;
 * - `links`: entries and references; `metadata`: `meta.json`;
 * - `partial-downloads`: what was received of blobs; `leftovers`: of writers that crashed; `other`: nothing of ours.
 *
 * What is several of them is counted once.
 */
export type StoreKind = (typeof STORE_KINDS)[number];

/** What a repository takes on the disk, and what is free. */
export interface StoreSummary {
  readonly kinds: Readonly<Record<StoreKind, Usage>>;
  /** Of everything: what `du` prints of the directory. */
  readonly total: Usage;
  /** In bytes; `available` to those who are not root. */
  readonly fileSystem: { readonly size: number; readonly free: number; readonly available: number };
}

/**
 * What a whole repository takes on the disk, by what it is for.
 *
 * @throws ComposefsError what a garbage collection would throw
 */
export async function storeUsage(repo: ReadableRepository, options: LongCallOptions = {}): Promise<StoreSummary> {
  return await repo.hold(async () => {
    const turns = new Turns(options.signal);
    const graph = await ReferenceGraph.read(repo, options);
    const kindOf = await classify(graph, turns);
    const kinds = Object.fromEntries(STORE_KINDS.map((kind) => [kind, new UsageSum()])) as Record<StoreKind, UsageSum>;
    await visitStoreFiles(
      repo,
      turns,
      ({ place, id, stat }) => {
        if (place === 'directory') {
          // Its link count is that of its subdirectories.
          kinds.directories.addFile({ size: stat.size, blocks: stat.blocks, nlink: 1 });
          return;
        }
        const number = id === undefined ? undefined : graph.numberOf(id);
        const kind = place === 'object' ? (number === undefined ? 'unreachable' : kindOf(number)) : PLACES[place];
        kinds[kind].addFile(stat);
      },
      options.progress,
    );
    const total = new UsageSum();
    for (const kind of STORE_KINDS) total.add(kinds[kind]);
    return { kinds, total, fileSystem: fileSystemOf(repo) };
  });
}

const PLACES = {
  link: 'links',
  partial: 'partial-downloads',
  leftover: 'leftovers',
  metadata: 'metadata',
  other: 'other',
} as const;

/** The kinds of objects, by what uses them; the later of these counts. */
const OBJECT_KINDS = ['other-files', 'layer-files', 'blobs', 'documents', 'images', 'streams'] as const;

async function classify(graph: ReferenceGraph, turns: Turns): Promise<(number: number) => StoreKind> {
  const ranks = new Uint8Array(graph.size);
  const mark = (number: number, kind: (typeof OBJECT_KINDS)[number]): void => {
    ranks[number] = Math.max(ranks[number] ?? 0, OBJECT_KINDS.indexOf(kind));
  };
  for (const [number, { contentType, objects, named }] of graph.streams()) {
    if (turns.isOver()) await turns.next();
    mark(number, 'streams');
    const kind = kindOfContent(contentType);
    for (const object of objects) mark(object, kind);
    if (contentType !== CONFIG_CONTENT_TYPE) continue;
    for (const [key, target] of named) if (key.startsWith(IMAGE_REF_KEY)) mark(target, 'images');
  }
  for (const { category, id } of graph.roots) {
    const number = graph.numberOf(id);
    if (category === 'images' && number !== undefined) mark(number, 'images');
  }
  return (number) => OBJECT_KINDS[ranks[number] ?? 0] ?? 'other-files';
}

function kindOfContent(contentType: bigint): 'layer-files' | 'blobs' | 'documents' | 'other-files' {
  switch (contentType) {
    case LAYER_CONTENT_TYPE:
      return 'layer-files';
    case BLOB_CONTENT_TYPE:
      return 'blobs';
    case CONFIG_CONTENT_TYPE:
    case MANIFEST_CONTENT_TYPE:
      return 'documents';
    default:
      return 'other-files';
  }
}

function fileSystemOf(repo: ReadableRepository): StoreSummary['fileSystem'] {
  return repo.root.within('', (self) => {
    const { blocks, bfree, bavail, bsize } = statfsSync(`${self}/.`);
    return { size: blocks * bsize, free: bfree * bsize, available: bavail * bsize };
  });
}
