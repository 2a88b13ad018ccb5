import { runSteps } from '../../../threads/turns.js';
import type { RepositoryHost } from '../objects/host.js';
import { OBJECT_DIRECTORIES } from '../objects/object-directory.js';
import { contentSteps } from './fsck-contents.js';
import { checkMetadata } from './fsck-metadata.js';
import { objectDirectorySteps } from './fsck-objects.js';
import { type FsckPart, type FsckResult, mergeFindings } from './fsck-result.js';

export type { FsckResult };

export interface FsckRequest {
  /** Leaves out the objects, which takes most of the time. */
  readonly metadataOnly: boolean;
}

/** What the parts of a check have found. */
export interface FsckParts {
  /** Streams and images. */
  readonly contents: FsckPart;
  /** The directories of objects, in their order. */
  readonly objects: readonly FsckPart[];
}

/**
 * Whether streams and images are to be checked once more, by themselves: objects that were taken for present are not as they
 * should be.
 */
export function isInDoubt({ objects }: FsckParts): boolean {
  return objects.some(({ errors, isDoubtful }) => isDoubtful || errors.length > 0);
}

/** The parts in the order of the report: `meta.json`, objects, streams and images (spec 10 §18). */
export function concludeFsck(repository: RepositoryHost, { contents, objects }: FsckParts): FsckResult {
  const { hasMetadata, findings } = checkMetadata(repository.root, repository.objects.algorithm);
  return mergeFindings(hasMetadata, [findings, ...objects, contents]);
}

/** The whole check in this thread. Findings are results; only a directory that cannot be read is an error. */
export function checkRepository(repository: RepositoryHost, { metadataOnly }: FsckRequest): FsckResult {
  const checkContents = (objectsAreChecked: boolean): FsckPart => runSteps(contentSteps(repository, objectsAreChecked));
  const parts: FsckParts = {
    contents: checkContents(!metadataOnly),
    objects: Array.from({ length: metadataOnly ? 0 : OBJECT_DIRECTORIES }, (_, number) =>
      runSteps(objectDirectorySteps(repository, number)),
    ),
  };
  return concludeFsck(repository, isInDoubt(parts) ? { ...parts, contents: checkContents(false) } : parts);
}
