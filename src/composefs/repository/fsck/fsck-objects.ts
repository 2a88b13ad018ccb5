import { type ByteString, byteStringToBuffer, byteStringToText } from '../../../bytes/byte-string.js';
import { fullMessage } from '../../../errors.js';
import { listNames } from '../../../fs/directory-entries.js';
import { IO_BUFFER_SIZE, isErrno, readChunks, withFd } from '../../../fs/files.js';
import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import { FsVerityHasher } from '../../fsverity/hasher.js';
import { type ObjectId, objectIdFromDirAndBasename, objectPathname } from '../../fsverity/object-id.js';
import type { RepositoryHost } from '../objects/host.js';
import { OBJECTS } from '../objects/object-store.js';
import { FsckFindings, type FsckPart } from './fsck-result.js';

/**
 * Checks the objects of one directory `objects/xx` (spec 10 §18.2 phase 1): each has the content that its name says.
 *
 * @param directory 0 to 255.
 */
export function checkObjectDirectory(repository: RepositoryHost, directory: number): FsckPart {
  const findings = new FsckFindings();
  const name = directory.toString(16).padStart(2, '0');
  const path = `${OBJECTS}/${name}`;
  const buffer = Buffer.allocUnsafeSlow(IO_BUFFER_SIZE);
  for (const basename of namesIn(repository, path)) {
    findings.count('objectsChecked');
    const rawPath = `objects/${name}/${byteStringToText(basename)}`;
    let id: ObjectId;
    try {
      id = objectIdFromDirAndBasename(repository.objects.algorithm, directory, basename);
    } catch (error) {
      findings.add({ type: 'object-invalid-name', path: rawPath, detail: fullMessage(error) }, 'objectsCorrupted');
      continue;
    }
    let fd: number;
    try {
      fd = repository.root.openFile(byteStringToBuffer(`${path}/${basename}` as ByteString));
    } catch (error) {
      findings.add({ type: 'object-open-failed', path: rawPath, detail: fullMessage(error) }, 'objectsCorrupted');
      continue;
    }
    withFd(fd, () => checkObject(repository, fd, id, buffer, findings));
  }
  return findings;
}

function namesIn(repository: RepositoryHost, directory: string): ByteString[] {
  try {
    return repository.root.within(directory, listNames);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function checkObject(
  repository: RepositoryHost,
  fd: number,
  id: ObjectId,
  buffer: Buffer,
  findings: FsckFindings,
): void {
  const { verity, algorithm, insecure } = repository.objects;
  const path = `objects/${objectPathname(id)}`;
  const enforced = verity.measureIfPossible(fd);
  if (enforced === undefined && !insecure) {
    findings.add({ type: 'object-verity-missing', path }, 'objectsCorrupted');
    return;
  }
  let measured: ObjectId;
  try {
    measured = measureContent(fd, enforced, algorithm, buffer);
  } catch (error) {
    findings.add({ type: 'object-verity-failed', path, detail: fullMessage(error) }, 'objectsCorrupted');
    return;
  }
  if (measured !== id) findings.add({ type: 'object-digest-mismatch', path, measured }, 'objectsCorrupted');
}

/**
 * The digest of a file's content. The kernel states `enforced` as it was when verity was enabled and compares blocks
 * with it only as they are read, so the file is read to its end all the same.
 */
function measureContent(
  fd: number,
  enforced: ObjectId | undefined,
  algorithm: HashAlgorithm,
  buffer: Buffer,
): ObjectId {
  const hasher = new FsVerityHasher(algorithm);
  for (const chunk of readChunks(fd, buffer)) {
    if (enforced === undefined) hasher.update(chunk);
  }
  return enforced ?? hasher.digest();
}
