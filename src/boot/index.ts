/**
 * What a machine boots from: the tree of a boot image, what in it can be booted, and writing that to a boot partition. It
 * knows nothing of OCI.
 *
 * @module composefs-oci/boot
 */

export {
  addArgument,
  formatCmdline,
  getCmdlineValue,
  type KernelArgument,
  parseCmdline,
  quoteArgument,
  removeArgument,
  splitCmdline,
} from './cmdline/arguments.js';
export {
  ComposefsCmdline,
  type DigestValue,
  type ImageArgument,
  imageArguments,
  KARG_COMPOSEFS_DIGEST,
  KARG_V2,
  type KargVersion,
  makeCmdlineComposefs,
  parseDigestValue,
} from './cmdline/composefs-argument.js';
export { runningImages, runningRoots } from './cmdline/running-images.js';
export {
  type AbootArtifact,
  type AbootEncoding,
  AbootEntry,
  type BootEntry,
  describeBootEntry,
  EFI_ADDON_DIR_EXT,
  EFI_ADDON_FILE_EXT,
  EFI_EXT,
  type PEType,
  Type1Entry,
  Type2Entry,
  UsrLibModulesVmlinuz,
} from './entries/boot-entry.js';
export { getBootResources } from './entries/find.js';
export { AndroidBootImage, type AndroidComponent } from './formats/android-boot.js';
export { BootLoaderEntryFile } from './formats/bls.js';
export { bytesOfFile, type FileBytes } from './formats/file-bytes.js';
export { dequote, OsReleaseInfo } from './formats/os-release.js';
export { findSection, getBootLabel, getCmdline, getSection, getTextSection } from './formats/uki.js';
export { selabel, selabelFromDir, XATTR_SECURITY_SELINUX } from './selinux/label-tree.js';
export { openTreeFile } from './selinux/policy-source.js';
export { transformForBoot, transformForBootFromDir } from './transform.js';
export { type InstalledEntry, listInstalledEntries } from './write/boot-partition.js';
export { keepBootImage, releaseBootImage, releaseBootImages } from './write/image-refs.js';
export { type BootFile, type BootPlan, type BootWriteOptions, planBootEntry } from './write/plan.js';
export {
  type PruneBootOptions,
  type PrunedBootEntries,
  pruneBootEntries,
  removeUnneededBootEntries,
  uninstallBootEntry,
} from './write/prune-entries.js';
export {
  type RemovedEntry,
  removeBootEntry,
  removeStaleBootEntries,
  type StaleEntriesOptions,
} from './write/stale-entries.js';
export { resolveBootPlan, type WrittenBootEntry, writeBootEntry, writeBootSimple } from './write/write-entry.js';
