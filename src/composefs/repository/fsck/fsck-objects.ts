import { closeSync, readSync } from 'node:fs';
import { type ByteString, byteStringToText } from '../../../bytes/byte-string.js';
import { fullMessage } from '../../../errors.js';
import { listNames } from '../../../fs/directory-entries.js';
import { IO_BUFFER_SIZE, isErrno } from '../../../fs/files.js';
import { openFileOnly } from '../../../fs/open-file.js';
import { procPath } from '../../../linux/link.js';
import type { Steps } from '../../../threads/turns.js';
import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import { computeVerity, verityOfFdSteps } from '../../fsverity/digest.js';
import { type ObjectId, objectIdFromDirAndBasename, objectPathname } from '../../fsverity/object-id.js';
import type { RepositoryHost } from '../objects/host.js';
import { OBJECTS } from '../objects/object-directory.js';
import { FsckFindings, type FsckPart } from './fsck-result.js';

/** What is hashed, or takes as long, between two steps: half a millisecond. */
const BYTES_A_STEP = 512 << 10;
/** To open a file takes as long as to hash so many bytes. */
const PER_OBJECT = 16 << 10;

/** One of a thread, through which it reads: one for each directory was most of what the garbage collector had to do. */
let buffer: Buffer | undefined;

/** A directory `objects/xx`. */
interface ObjectDirectory {
  readonly number: number;
  /** In the repository. */
  readonly path: string;
  readonly fd: number;
}

/**
 * Checks the objects of one directory `objects/xx` (spec 10 §18.2 phase 1): each has the content that its name says.
 *
 * @param number of the directory, 0 to 255.
 */
export function* objectDirectorySteps(repository: RepositoryHost, number: number): Steps<FsckPart> {
  const { root, objects } = repository;
  const findings = new FsckFindings();
  const digits = number.toString(16).padStart(2, '0');
  const path = `${OBJECTS}/${digits}`;
  let fd: number;
  try {
    fd = root.openDirectory(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return findings;
    throw error;
  }
  const directory: ObjectDirectory = { number, path, fd };
  try {
    const names = root.withinOpen(fd, path, listNames);
    const self = procPath(fd);
    let unyielded = 0;
    for (const name of names) {
      const size = objects.verity.unavailable ? sizeIfIntact(objects.algorithm, `${self}/${name}`, digits + name) : 0;
      if (size === 0) yield* objectSteps(repository, directory, name, findings);
      unyielded += PER_OBJECT + size;
      if (unyielded < BYTES_A_STEP) continue;
      unyielded = 0;
      yield;
    }
    findings.count('objectsChecked', names.length);
    return findings;
  } finally {
    closeSync(fd);
  }
}

/**
 * The size of a file without verity if it is an object and has the content that its name says. 0 also of what takes a closer
 * look: this is for most objects, which are small and as they should be, and does no more than they need.
 */
function sizeIfIntact(algorithm: HashAlgorithm, path: string, id: string): number {
  try {
    const fd = openFileOnly(path);
    try {
      const data = ioBuffer();
      const count = readSync(fd, data, 0, data.length, 0);
      // What gives nothing may be no file at all.
      const isWhole = count > 0 && count < data.length;
      return isWhole && computeVerity(algorithm, data.subarray(0, count)) === id ? count : 0;
    } finally {
      closeSync(fd);
    }
  } catch {
    return 0;
  }
}

/** The findings of one object. */
function* objectSteps(
  { root, objects }: RepositoryHost,
  directory: ObjectDirectory,
  name: ByteString,
  findings: FsckFindings,
): Steps<void> {
  const path = `${directory.path}/${byteStringToText(name)}`;
  let id: ObjectId;
  try {
    id = objectIdFromDirAndBasename(objects.algorithm, directory.number, name);
  } catch (error) {
    findings.add({ type: 'object-invalid-name', path, detail: fullMessage(error) }, 'objectsCorrupted');
    return;
  }
  let fd: number;
  try {
    fd = root.openFileIn(directory.fd, directory.path, name);
  } catch (error) {
    findings.add({ type: 'object-open-failed', path, detail: fullMessage(error) }, 'objectsCorrupted');
    return;
  }
  try {
    yield* contentSteps(objects, fd, id, findings);
  } finally {
    closeSync(fd);
  }
}

function* contentSteps(
  { verity, insecure, algorithm }: RepositoryHost['objects'],
  fd: number,
  id: ObjectId,
  findings: FsckFindings,
): Steps<void> {
  const path = `${OBJECTS}/${objectPathname(id)}`;
  const enforced = verity.measureIfPossible(fd);
  if (enforced === 'refused') findings.isDoubtful = true;
  const isEnforced = enforced !== 'refused' && enforced !== 'tolerated';
  if (!isEnforced && !insecure) {
    findings.add({ type: 'object-verity-missing', path }, 'objectsCorrupted');
    return;
  }
  let measured: ObjectId;
  try {
    measured = isEnforced ? yield* readSteps(fd, enforced) : yield* verityOfFdSteps(algorithm, fd);
  } catch (error) {
    findings.add({ type: 'object-verity-failed', path, detail: fullMessage(error) }, 'objectsCorrupted');
    return;
  }
  if (measured !== id) findings.add({ type: 'object-digest-mismatch', path, measured }, 'objectsCorrupted');
}

/**
 * The kernel states `enforced` as it was when verity was enabled and compares blocks with it only as they are read, so the
 * file is read to its end all the same.
 */
function* readSteps(fd: number, enforced: ObjectId): Steps<ObjectId> {
  const data = ioBuffer();
  for (let position = 0; ; ) {
    const count = readSync(fd, data, 0, data.length, position);
    if (count === 0) return enforced;
    position += count;
    yield;
  }
}

function ioBuffer(): Buffer {
  buffer ??= Buffer.allocUnsafeSlow(IO_BUFFER_SIZE);
  return buffer;
}
