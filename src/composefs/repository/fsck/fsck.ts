import type { RepositoryHost } from '../objects/host.js';
import { checkImages, checkStreams } from './fsck-contents.js';
import { checkMetadata } from './fsck-metadata.js';
import { checkObjectDirectory } from './fsck-objects.js';
import { type FsckPart, type FsckResult, mergeFindings } from './fsck-result.js';

export type { FsckResult };

/** A part of the check that can be done by itself, in any thread. Plain data. */
export type FsckJob =
  | { readonly type: 'objects'; readonly directory: number }
  | { readonly type: 'streams' }
  | { readonly type: 'images' };

export interface FsckRequest {
  /** Leaves out the objects, which takes most of the time. */
  readonly metadataOnly: boolean;
}

/** All parts: the long ones first, so that at the end no thread has one left while the others are idle. */
export function planFsck(request: FsckRequest): FsckJob[] {
  const links: FsckJob[] = [{ type: 'images' }, { type: 'streams' }];
  if (request.metadataOnly) return links;
  return [...links, ...Array.from({ length: 256 }, (_, directory): FsckJob => ({ type: 'objects', directory }))];
}

export function runFsckJob(repository: RepositoryHost, job: FsckJob): FsckPart {
  switch (job.type) {
    case 'objects':
      return checkObjectDirectory(repository, job.directory);
    case 'streams':
      return checkStreams(repository);
    case 'images':
      return checkImages(repository);
  }
}

/** Puts the parts of the plan together in the order of the report: `meta.json`, objects, streams, images (spec 10 §18). */
export function concludeFsck(repository: RepositoryHost, parts: readonly FsckPart[]): FsckResult {
  const metadata = checkMetadata(repository.root, repository.objects.algorithm);
  const [images, streams, ...objects] = parts;
  const links = [streams, images].flatMap((part) => part ?? []);
  return mergeFindings(metadata.hasMetadata, [metadata, ...objects, ...links]);
}

/** The whole check in this thread. Findings are results; only a directory that cannot be read is an error. */
export function checkRepository(repository: RepositoryHost, request: FsckRequest): FsckResult {
  return concludeFsck(
    repository,
    planFsck(request).map((job) => runFsckJob(repository, job)),
  );
}
