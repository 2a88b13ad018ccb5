import { fsyncSync } from 'node:fs';
import { ComposefsError, withContext } from '../../../errors.js';
import { isErrno, readFully, withFd, writeFully } from '../../../fs/files.js';
import { METADATA_TEMP_PREFIX } from '../../../fs/random-name.js';
import { StagingArea } from '../../../fs/staged-file.js';
import { syncDirectory } from '../../../fs/sync-file-system.js';
import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import { hasVerity } from '../../fsverity/kernel.js';
import type { RepositoryRoot } from '../directory/root.js';
import { ObjectVerity } from '../objects/object-verity.js';
import {
  MAX_METADATA_SIZE,
  METADATA_FILENAME,
  parseMetadata,
  type RepositoryMetadata,
  serializeMetadata,
} from './metadata.js';

const NO_VERITY_HINT =
  'ext4 has fs-verity after `tune2fs -O verity`, btrfs always; on other file systems the repository must be insecure: ' +
  '`cfsctl init --insecure`';

/** `meta.json` as found in a repository. */
export interface StoredMetadata {
  readonly metadata: RepositoryMetadata;
  /** Whether fs-verity is enabled on the file: the mark of a secure repository (spec 10 §9). */
  readonly hasVerity: boolean;
}

/**
 * Reads `meta.json`; undefined if there is none.
 *
 * @param check called with what the file says before verity is asked for: measuring with the wrong algorithm fails in a
 *   way that tells nobody what is wrong.
 * @throws RepositoryOpenError `metadata-invalid`
 */
export function readMetadataFile(
  root: RepositoryRoot,
  check: (metadata: RepositoryMetadata) => void = () => undefined,
): StoredMetadata | undefined {
  const fd = root.openFileIfExists(METADATA_FILENAME);
  if (fd === undefined) return undefined;
  return withFd(fd, () => {
    const metadata = parseMetadata(readFully(fd, MAX_METADATA_SIZE));
    check(metadata);
    return { metadata, hasVerity: probeVerity(fd, metadata.algorithm) };
  });
}

/** A secure repository must not pass as an insecure one because nobody could ask. */
function probeVerity(fd: number, algorithm: HashAlgorithm): boolean {
  try {
    return hasVerity(fd, algorithm);
  } catch (cause) {
    if (!isErrno(cause, 'FFI_UNAVAILABLE')) throw cause;
    const install = cause instanceof ComposefsError && cause.hint !== undefined ? `${cause.hint}, or ` : '';
    throw new ComposefsError('FFI_UNAVAILABLE', 'cannot find out whether the repository demands fs-verity', {
      cause,
      hint: `${install}do without fs-verity: \`cfsctl --insecure\`, in the library \`insecure: true\``,
    });
  }
}

/** What `meta.json` says, without asking for verity; undefined if there is none. */
export function readMetadata(root: RepositoryRoot): RepositoryMetadata | undefined {
  const fd = root.openFileIfExists(METADATA_FILENAME);
  return fd === undefined ? undefined : withFd(fd, () => parseMetadata(readFully(fd, MAX_METADATA_SIZE)));
}

/**
 * Writes `meta.json`, which must not exist yet, and makes it last (spec 10 §7.6). Whatever goes wrong, there is no half-written
 * file, and none without the verity that was asked for.
 */
export function writeMetadata(root: RepositoryRoot, metadata: RepositoryMetadata, enableVerity: boolean): void {
  const file = withContext('creating tmpfile for meta.json', () =>
    new StagingArea((action) => root.within('', action), METADATA_TEMP_PREFIX).create(0o644),
  );
  try {
    writeFully(file.fd, Buffer.from(serializeMetadata(metadata)));
    fsyncSync(file.fd);
    if (enableVerity) {
      withContext(
        'enabling verity on meta.json',
        () => root.within('', (directory) => new ObjectVerity(metadata.algorithm, false).enable(file, directory)),
        { VERITY_NOT_SUPPORTED: NO_VERITY_HINT },
      );
    }
    if (!root.within('', (directory) => file.place(`${directory}/${METADATA_FILENAME}`))) {
      throw new ComposefsError('EEXIST', `${METADATA_FILENAME} exists already in ${root.path}`);
    }
    root.within('', syncDirectory);
  } finally {
    file.discard();
  }
}
