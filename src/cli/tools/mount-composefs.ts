import { closeSync, constants, openSync, readSync } from 'node:fs';
import { COMPOSEFS_HEADER_SIZE, COMPOSEFS_MAGIC, FLAG_HAS_ACL } from '../../composefs/erofs/format/constants.js';
import { decodeHeader } from '../../composefs/erofs/format/header.js';
import { type MountOptions, measureVerity } from '../../composefs/index.js';
import { attachAndClose } from '../../composefs/mount/attach.js';
import { composefsFsmount } from '../../composefs/mount/composefs-mount.js';
import { MeasureVerityError } from '../../error-classes.js';
import { ComposefsError } from '../../errors.js';
import { O_PATH } from '../../linux/constants.js';
import { errnoMessage } from '../../linux/strerror.js';
import { OptionScanner } from './getopt.js';
import { type MountComposefsOptions, parseMountOptions } from './mount-options.js';
import { STDERR, writeTexts } from './stdio.js';
import { failuresOf, ToolFailure } from './tool-failure.js';

const TOOL = 'mount.composefs';
const USAGE = `usage: ${TOOL} [-t type] [-o opt[,opts..]] IMAGE MOUNTPOINT
Example:
  ${TOOL} -o basedir=/composefs/objects exampleimage.cfs /mnt/exampleimage
or, as a mount helper:
  mount -t composefs -o basedir=/composefs/objects exampleimage.cfs /mnt/exampleimage

Supported options:
  basedir=PATH[:PATH]    Specify location of basedir(s)
  digest=DIGEST          Specify required image digest
  idmap=PATH             Specify path to a user namespace whose ID mapping should be used
  verity                 Require all files to have specified and valid fs-verity digests
  tryverity              If supported by kernel, require fs-verity
  ro                     Read only
  rw                     Read/write
  upperdir               Overlayfs upperdir
  workdir                Overlayfs workdir
`;
const { errx } = failuresOf(TOOL);

/**
 * `mount.composefs [-t composefs] [-o OPT[,OPT]…] IMAGE MOUNTPOINT`, also called by `mount -t composefs` (spec 70 D5).
 *
 * @throws ToolFailure
 */
export function mountComposefs(args: readonly string[]): number {
  let optionText: string | undefined;
  const scanner = new OptionScanner(args, { short: 'ht:o:' });
  for (const found of scanner) {
    if (found.kind !== 'option') throw new ToolFailure(`${TOOL}: ${found.message}\n${USAGE}`);
    const { name, value = '' } = found;
    if (name === 'h') {
      writeTexts(STDERR, [USAGE]);
      return 0;
    }
    if (name === 'o') optionText = value;
    else if (value !== 'composefs') throw errx(`Unsupported fs type '${value}'\n`);
  }
  const [image, mountpoint] = scanner.operands;
  if (image === undefined) throw new ToolFailure(`No source path specified\n${USAGE}`);
  if (mountpoint === undefined) throw new ToolFailure(`No mount path specified\n${USAGE}`);
  mount(image, mountpoint, parseMountOptions(optionText, USAGE));
  return 0;
}

function mount(image: string, mountpoint: string, options: MountComposefsOptions): void {
  const open: number[] = [];
  const keep = (fd: number): number => {
    open.push(fd);
    return fd;
  };
  try {
    const { idmap } = options;
    const idmapFd =
      idmap === undefined ? undefined : keep(openOrFail(idmap, `open userns ${idmap}`, constants.O_NOCTTY));
    const imageFd = keep(openOrFail(image, `open ${image}`));
    try {
      checkDigest(imageFd, options.digest);
      const mountOptions = { ...fixedOptions(imageFd, options), ...(idmapFd !== undefined && { idmapFd }) };
      attachAndClose(openLayersAndMount(imageFd, options, mountOptions, keep), mountpoint);
    } catch (error) {
      throw mountFailure(image, error);
    }
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

function openLayersAndMount(
  imageFd: number,
  { basedirs, upper, verity }: MountComposefsOptions,
  options: MountOptions,
  keep: (fd: number) => number,
): number {
  const openDirectory = (path: string): number => keep(openSync(path, O_PATH | constants.O_DIRECTORY));
  const dataFds = basedirs.map(openDirectory);
  const overlay = upper && { upperFd: openDirectory(upper.upperdir), workFd: openDirectory(upper.workdir) };
  return composefsFsmount(imageFd, 'composefs', dataFds, verity, { ...options, ...(overlay && { overlay }) });
}

/** @throws ComposefsError `EINVAL` if the file does not begin like an image. */
function fixedOptions(imageFd: number, { readOnly, nosuid, nodev, noexec }: MountComposefsOptions): MountOptions {
  const bytes = Buffer.alloc(COMPOSEFS_HEADER_SIZE);
  const header = readSync(imageFd, bytes, 0, bytes.length, 0) === bytes.length ? decodeHeader(bytes) : undefined;
  if (header?.magic !== COMPOSEFS_MAGIC) throw new ComposefsError('EINVAL', 'Invalid argument');
  const noAcl = (header.flags & FLAG_HAS_ACL) === 0;
  return { source: 'composefs', readWrite: !readOnly, noAcl, nosuid, nodev, noexec };
}

/** Before anything that needs privileges. @throws ComposefsError */
function checkDigest(imageFd: number, digest: string | undefined): void {
  if (digest === undefined || digest === '') return;
  if (!/^([0-9a-fA-F]{2}){1,64}$/.test(digest)) throw new ComposefsError('EINVAL', 'Invalid argument');
  if (measure(imageFd) !== digest.toLowerCase()) throw new WrongImageError('Image has wrong fs-verity');
}

class WrongImageError extends Error {}

function measure(imageFd: number): string | undefined {
  try {
    return measureVerity(imageFd, 'sha256');
  } catch (error) {
    if (!(error instanceof MeasureVerityError)) throw error;
    if (error.kind === 'verity-missing' || error.kind === 'filesystem-not-supported') {
      throw new WrongImageError('Image has no fs-verity');
    }
    if (error.kind === 'io') throw error;
    // Verity of another algorithm: a digest that cannot be the expected one.
    return undefined;
  }
}

function openOrFail(path: string, doing: string, flags = 0): number {
  try {
    return openSync(path, constants.O_RDONLY | flags);
  } catch (error) {
    throw errx(`Failed to ${doing}: ${errnoMessage(error)}\n`);
  }
}

function mountFailure(image: string, error: unknown): ToolFailure {
  const reason = error instanceof WrongImageError ? error.message : errnoMessage(error);
  return errx(`Failed to mount composefs ${image}: ${reason}\n`);
}
