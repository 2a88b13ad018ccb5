import { closeSync } from 'node:fs';
import { fullMessage } from '../../../errors.js';
import { readFullySteps } from '../../../fs/files.js';
import type { Steps } from '../../../threads/turns.js';
import { DEFAULT_MAX_IMAGE_SIZE } from '../../erofs/index.js';
import { collectObjectSteps } from '../../erofs/reader/collect-objects.js';
import { digestSize } from '../../fsverity/algorithm.js';
import { type ObjectId, objectIdFromBytes } from '../../fsverity/object-id.js';
import type { SplitStreamReader } from '../../splitstream/index.js';
import { openImageFile } from '../names/open-image.js';
import { openStream } from '../names/open-stream.js';
import type { RepositoryHost } from '../objects/host.js';
import { linkSteps } from './fsck-links.js';
import { FsckFindings, type FsckPart } from './fsck-result.js';
import { ObjectProbe, type ObjectState } from './object-probe.js';

/**
 * Checks `streams/` and `images/`: every stream can be opened, every image is a valid one, and what they need is there. The
 * content of streams is not decompressed.
 *
 * @param objectsAreChecked see {@link ObjectProbe}.
 */
export function* contentSteps(repository: RepositoryHost, objectsAreChecked: boolean): Steps<FsckPart> {
  const objects = new ObjectProbe(repository, objectsAreChecked);
  const findings = new FsckFindings();
  const release = repository.root.keepDirectories();
  try {
    yield* linkSteps(repository, 'streams', findings, (name, path) =>
      streamSteps(repository, objects, name, path, findings),
    );
    yield* linkSteps(repository, 'images', findings, (_, path) => imageSteps(repository, objects, path, findings));
    return findings;
  } finally {
    release();
  }
}

function* streamSteps(
  repository: RepositoryHost,
  objects: ObjectProbe,
  name: string,
  path: string,
  findings: FsckFindings,
): Steps<void> {
  let reader: SplitStreamReader;
  try {
    reader = openStream(repository, name);
  } catch (error) {
    findings.add({ type: 'stream-open-failed', path, detail: fullMessage(error) }, 'streamsCorrupted');
    return;
  }
  try {
    for (const [objectId, state] of yield* absentSteps(repository, objects, reader.objectRefBytes)) {
      if (state === 'missing') findings.add({ type: 'missing-object-ref', path, objectId }, 'missingObjects');
      else findings.add({ type: 'object-check-failed', path, objectId, detail: state.problem });
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

function* imageSteps(
  repository: RepositoryHost,
  objects: ObjectProbe,
  path: string,
  findings: FsckFindings,
): Steps<void> {
  let fd: number;
  try {
    fd = openImageFile(repository, path);
  } catch (error) {
    findings.add({ type: 'image-open-failed', path, detail: fullMessage(error) }, 'imagesCorrupted');
    return;
  }
  let image: Buffer;
  try {
    image = yield* readFullySteps(fd, DEFAULT_MAX_IMAGE_SIZE);
  } catch (error) {
    findings.add({ type: 'image-read-failed', path, detail: fullMessage(error) }, 'imagesCorrupted');
    return;
  } finally {
    closeSync(fd);
  }
  let needed: Buffer;
  try {
    needed = (yield* collectObjectSteps(image, repository.objects.algorithm)).toBytes();
  } catch (error) {
    findings.add({ type: 'image-invalid', path, detail: fullMessage(error) }, 'imagesCorrupted');
    return;
  }
  const absent = yield* absentSteps(repository, objects, needed);
  for (const [objectId, state] of absent.sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (state === 'missing') findings.add({ type: 'image-missing-object', path, objectId }, 'missingObjects');
    else findings.add({ type: 'object-check-failed', path, objectId, detail: state.problem });
  }
}

const PROBES_A_STEP = 64;

/** Those of some objects that are not there, or cannot be opened. @param ids their digests, one after the other. */
function* absentSteps(
  repository: RepositoryHost,
  objects: ObjectProbe,
  ids: Buffer,
): Steps<[ObjectId, Exclude<ObjectState, 'present'>][]> {
  const size = digestSize(repository.objects.algorithm);
  const absent: [ObjectId, Exclude<ObjectState, 'present'>][] = [];
  let count = 0;
  for (let start = 0; start < ids.length; start += size) {
    if (++count % PROBES_A_STEP === 0) yield;
    const state = objects.probeBytes(ids, start);
    if (state !== 'present') absent.push([objectIdFromBytes(ids.subarray(start, start + size)), state]);
  }
  return absent;
}
