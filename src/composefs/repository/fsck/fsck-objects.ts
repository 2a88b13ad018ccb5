import { type ByteString, byteStringToBuffer, byteStringToText } from '../../../bytes/byte-string.js';
import { fullMessage } from '../../../errors.js';
import { listNames } from '../../../fs/directory-entries.js';
import { IO_BUFFER_SIZE, isErrno, readChunks, withFd } from '../../../fs/files.js';
import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import { measureFd } from '../../fsverity/digest.js';
import { type ObjectId, objectIdFromDirAndBasename, objectPathname } from '../../fsverity/object-id.js';
import type { RepositoryHost } from '../objects/host.js';
import { OBJECTS } from '../objects/object-directory.js';
import { FsckFindings, type FsckPart } from './fsck-result.js';

/** One of a thread, through which it reads: one for each directory was most of what the garbage collector had to do. */
let buffer: Buffer | undefined;

/**
 * Checks the objects of one directory `objects/xx` (spec 10 §18.2 phase 1): each has the content that its name says.
 *
 * @param directory 0 to 255.
 */
export function checkObjectDirectory(repository: RepositoryHost, directory: number): FsckPart {
  const findings = new FsckFindings();
  const name = directory.toString(16).padStart(2, '0');
  const path = `${OBJECTS}/${name}`;
  withDirectory(repository, path, (names, open) => {
    for (const basename of names) {
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
        fd = open(byteStringToBuffer(basename));
      } catch (error) {
        findings.add({ type: 'object-open-failed', path: rawPath, detail: fullMessage(error) }, 'objectsCorrupted');
        continue;
      }
      withFd(fd, () => checkObject(repository, fd, id, findings));
    }
  });
  return findings;
}

/** The names in a directory, and what opens the files of these names; nothing if there is no such directory. */
function withDirectory(
  { root }: RepositoryHost,
  directory: string,
  action: (names: readonly ByteString[], open: (name: Buffer) => number) => void,
): void {
  let isThere = false;
  try {
    const names = root.within(directory, listNames);
    isThere = true;
    root.withFilesOf(directory, (open) => action(names, open));
  } catch (error) {
    if (isThere || !isErrno(error, 'ENOENT')) throw error;
  }
}

function checkObject(repository: RepositoryHost, fd: number, id: ObjectId, findings: FsckFindings): void {
  const { verity, algorithm, insecure } = repository.objects;
  const path = `objects/${objectPathname(id)}`;
  const enforced = verity.measureIfPossible(fd);
  if (enforced === undefined && !insecure) {
    findings.add({ type: 'object-verity-missing', path }, 'objectsCorrupted');
    return;
  }
  let measured: ObjectId;
  try {
    measured = measureContent(fd, enforced, algorithm);
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
function measureContent(fd: number, enforced: ObjectId | undefined, algorithm: HashAlgorithm): ObjectId {
  buffer ??= Buffer.allocUnsafeSlow(IO_BUFFER_SIZE);
  if (enforced === undefined) return measureFd(algorithm, fd, buffer).id;
  for (const _ of readChunks(fd, buffer)) {
    // Read is all that it has to be.
  }
  return enforced;
}
