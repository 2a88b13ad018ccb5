import { closeSync } from 'node:fs';
import { fullMessage } from '../../../errors.js';
import { isErrno, readFully, withFd } from '../../../fs/files.js';
import { collectObjects, DEFAULT_MAX_IMAGE_SIZE } from '../../erofs/index.js';
import type { ObjectId } from '../../fsverity/object-id.js';
import type { SplitStreamReader } from '../../splitstream/index.js';
import { openImageFile } from '../names/open-image.js';
import { openStream } from '../names/open-stream.js';
import type { RepositoryHost } from '../objects/host.js';
import { checkLinks } from './fsck-links.js';
import { FsckFindings, type FsckPart } from './fsck-result.js';

/** Checks `streams/`: every stream can be opened and what it needs is there. Its content is not decompressed. */
export function checkStreams(repository: RepositoryHost): FsckPart {
  const findings = new FsckFindings();
  const objects = new ObjectProbe(repository);
  checkLinks(repository, 'streams', findings, (name, path) => checkStream(repository, objects, name, path, findings));
  return findings;
}

/** Checks `images/`: every image is a valid one and the objects of its files are there. */
export function checkImages(repository: RepositoryHost): FsckPart {
  const findings = new FsckFindings();
  const objects = new ObjectProbe(repository);
  checkLinks(repository, 'images', findings, (_, path) => checkImage(repository, objects, path, findings));
  return findings;
}

function checkStream(
  repository: RepositoryHost,
  objects: ObjectProbe,
  name: string,
  path: string,
  findings: FsckFindings,
): void {
  let reader: SplitStreamReader;
  try {
    reader = openStream(repository, name);
  } catch (error) {
    findings.add({ type: 'stream-open-failed', path, detail: fullMessage(error) }, 'streamsCorrupted');
    return;
  }
  try {
    for (const objectId of reader.objectRefs) {
      const state = objects.probe(objectId);
      if (state === 'missing') findings.add({ type: 'missing-object-ref', path, objectId }, 'missingObjects');
      else if (state !== 'present') {
        findings.add({ type: 'object-check-failed', path, objectId, detail: state.problem });
      }
    }
    for (const [refName, objectId] of [...reader.namedRefs()].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const state = objects.probe(objectId);
      if (state === 'missing') {
        findings.add({ type: 'missing-named-ref', path, refName, objectId }, 'missingObjects');
      } else if (state !== 'present') {
        const detail = `checking named ref '${refName}': ${state.problem}`;
        findings.add({ type: 'object-check-failed', path, objectId, detail });
      }
    }
  } catch (error) {
    findings.add({ type: 'stream-read-failed', path, detail: fullMessage(error) }, 'streamsCorrupted');
  } finally {
    reader.close();
  }
}

function checkImage(repository: RepositoryHost, objects: ObjectProbe, path: string, findings: FsckFindings): void {
  let fd: number;
  try {
    fd = openImageFile(repository, path);
  } catch (error) {
    findings.add({ type: 'image-open-failed', path, detail: fullMessage(error) }, 'imagesCorrupted');
    return;
  }
  let image: Buffer;
  try {
    image = withFd(fd, () => readFully(fd, DEFAULT_MAX_IMAGE_SIZE));
  } catch (error) {
    findings.add({ type: 'image-read-failed', path, detail: fullMessage(error) }, 'imagesCorrupted');
    return;
  }
  let needed: ObjectId[];
  try {
    needed = [...collectObjects(image, repository.objects.algorithm)].sort();
  } catch (error) {
    findings.add({ type: 'image-invalid', path, detail: fullMessage(error) }, 'imagesCorrupted');
    return;
  }
  for (const objectId of needed) {
    const state = objects.probe(objectId);
    if (state === 'missing') findings.add({ type: 'image-missing-object', path, objectId }, 'missingObjects');
    else if (state !== 'present') findings.add({ type: 'object-check-failed', path, objectId, detail: state.problem });
  }
}

type ObjectState = 'present' | 'missing' | { readonly problem: string };

/** Whether objects can be opened. Most are needed by several images and streams, so the answers are kept. */
class ObjectProbe {
  readonly #repository: RepositoryHost;
  readonly #states = new Map<ObjectId, ObjectState>();

  constructor(repository: RepositoryHost) {
    this.#repository = repository;
  }

  probe(id: ObjectId): ObjectState {
    let state = this.#states.get(id);
    if (state === undefined) {
      state = this.#open(id);
      this.#states.set(id, state);
    }
    return state;
  }

  #open(id: ObjectId): ObjectState {
    try {
      closeSync(this.#repository.objects.openObject(id));
      return 'present';
    } catch (error) {
      return isErrno(error, 'ENOENT') ? 'missing' : { problem: fullMessage(error) };
    }
  }
}
