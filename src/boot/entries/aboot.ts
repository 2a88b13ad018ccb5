import { type ByteString, concatBytes, quoteBytes, sliceBytes } from '../../bytes/byte-string.js';
import type { Directory, RegularFile } from '../../composefs/tree/inode.js';
import { getDirectoryOpt, getFileOpt } from '../../composefs/tree/lookup.js';
import type { ObjectSource } from '../../composefs/tree/read-file.js';
import { withContext } from '../../errors.js';
import { ANDROID_BOOT_MAGIC, AndroidBootImage } from '../formats/android-boot.js';
import { bytesOfFile, type FileBytes } from '../formats/file-bytes.js';
import { findSection } from '../formats/uki.js';
import { type AbootEncoding, AbootEntry } from './boot-entry.js';
import { invalidEntry, kernelVersion, path, requireFile } from './tree-files.js';

const BOOT = path('/boot/');
const IMG = '.img';
const PAYLOAD = 'aboot-';
const VBMETA = 'vbmeta-';

/**
 * The payload `/boot/aboot-<kver>.img` of an Android boot or ukiboot partition (spec 50 §4.4).
 *
 * @throws ComposefsError `INVALID_BOOT_ENTRY` if there are several, or a vbmeta image without one; UkiError and
 *   AndroidBootError with a context for one that is neither kind.
 */
export function findAboot(root: Directory, objects: ObjectSource): AbootEntry | undefined {
  const boot = getDirectoryOpt(root, BOOT);
  if (boot === undefined) return undefined;
  const payloads: AbootEntry[] = [];
  for (const [name, inode] of boot.entries()) {
    const kver = versionIn(name, PAYLOAD);
    if (kver === undefined) continue;
    if (kver === '') throw invalidEntry('aboot payload has no kernel version');
    payloads.push(payloadOf(boot, name, kver, requireFile(BOOT, name, inode), objects));
  }
  for (const name of boot.names()) {
    const kver = versionIn(name, VBMETA);
    if (kver === undefined) continue;
    kernelVersion(kver);
    if (boot.lookup(nameOf(PAYLOAD, kver)) === undefined) {
      throw invalidEntry(`vbmeta image ${BOOT}${quoteBytes(name)} has no matching aboot payload`);
    }
  }
  if (payloads.length > 1) throw invalidEntry('multiple aboot payloads found');
  return payloads[0];
}

function payloadOf(
  boot: Directory,
  name: ByteString,
  kver: ByteString,
  file: RegularFile,
  objects: ObjectSource,
): AbootEntry {
  const version = kernelVersion(kver);
  const payload = { path: concatBytes(BOOT, name), file };
  const vbmetaName = nameOf(VBMETA, kver);
  const vbmetaFile = getFileOpt(boot, vbmetaName);
  const vbmeta = vbmetaFile === undefined ? undefined : { path: concatBytes(BOOT, vbmetaName), file: vbmetaFile };
  const encoding = withContext(`Identifying aboot payload ${quoteBytes(payload.path)}`, () =>
    identify(bytesOfFile(file, objects)),
  );
  if (encoding === 'uki' && vbmeta !== undefined) {
    throw invalidEntry(`ukiboot payload ${quoteBytes(payload.path)} must not have a vbmeta image`);
  }
  return new AbootEntry(version, encoding, payload, vbmeta);
}

function identify(file: FileBytes): AbootEncoding {
  const magicSize = ANDROID_BOOT_MAGIC.length;
  if (file.size >= magicSize && file.read(0, magicSize).equals(ANDROID_BOOT_MAGIC)) {
    withContext('Parsing Android boot image', () => AndroidBootImage.parse(file));
    return 'androidV2';
  }
  withContext('Parsing aboot payload as UKI', () => {
    findSection(file, '.linux');
    findSection(file, '.initrd');
  });
  return 'uki';
}

/** What stands between a prefix and `.img`; undefined for other names. */
function versionIn(name: ByteString, prefix: string): ByteString | undefined {
  if (!name.startsWith(prefix) || !name.endsWith(IMG) || name.length < prefix.length + IMG.length) return undefined;
  return sliceBytes(name, prefix.length, -IMG.length);
}

function nameOf(prefix: string, kver: ByteString): ByteString {
  return concatBytes(path(prefix), kver, path(IMG));
}
