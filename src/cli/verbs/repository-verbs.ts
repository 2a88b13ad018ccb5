import { DEFAULT_ALGORITHM, formatAlgorithm, parseAlgorithm } from '../../composefs/index.js';
import type { ComputeKargOptions } from '../commands/compute-karg.js';
import type { CreateImageOptions } from '../commands/create-image.js';
import type { DumpFilesOptions } from '../commands/dump-files.js';
import type { FsckOptions } from '../commands/fsck.js';
import type { GcOptions } from '../commands/gc.js';
import type { ImagesOptions } from '../commands/images.js';
import type { InitOptions } from '../commands/init.js';
import { age } from '../context/age.js';
import type { Context } from '../context/context.js';
import { MOUNT_REQUIREMENTS, type MountOptions, mountOptions } from '../context/mount-options.js';
import {
  erofsVersionOption,
  type FileSystemOptions,
  fileSystemOptions,
  flag,
  list,
  noPropagateOption,
  value,
} from '../context/options.js';
import type { CfsctlCommand } from './command.js';

const IMAGE_NAME =
  'Digest of the EROFS image or its first digits, name of a reference, or an OCI image by tag or digest';

const INIT_EXAMPLES = `
Examples:
  cfsctl --repo /var/lib/images init                   Where the file system has fs-verity
  cfsctl init --insecure ./images                      Where it has not: with the same images, unchecked by the kernel`;

const GC_EXAMPLES = `
Examples:
  cfsctl gc --dry-run                                  What would go
  cfsctl gc --keep-newer-than 1d                       All but what was stored since yesterday
  cfsctl gc -r 3fa2c17d9e01                            All but an image without a tag`;

const FSCK_EXAMPLES = `
Examples:
  cfsctl fsck                                          Everything, with the content of all objects
  cfsctl fsck --metadata-only --json                   In a fraction of the time, for programs`;

const MOUNT_EXAMPLES = `
Examples:
  cfsctl mount my-image /mnt                           By the name that create-image gave it
  cfsctl mount 3fa2c17d9e01 /mnt                       By the first digits of its digest
  cfsctl umount /mnt`;

const TRANSACTION_EXAMPLES = `
Examples:
  cfsctl transaction & sleep 60; kill $!               Nobody collects garbage in this minute`;

const CAT_EXAMPLES = `
Examples:
  cfsctl cat oci-config-sha256:5fdc2c9e… | jq .
  cfsctl cat 3fa2c17d | tar -t                         A layer, by the first digits of its diff_id`;

const IMPORT_IMAGE_EXAMPLES = `
Examples:
  cfsctl import-image base < base.cfs                  Whose objects are in the repository, or come later`;

const IMAGES_EXAMPLES = `
Examples:
  cfsctl images
  cfsctl images --no-trunc`;

const CREATE_IMAGE_EXAMPLES = `
Examples:
  cfsctl create-image ./rootfs                         Prints the digest; gc takes what has no name
  cfsctl create-image ./rootfs base && cfsctl mount base /mnt`;

const COMPUTE_ID_EXAMPLES = `
Examples:
  cfsctl compute-id ./rootfs                           What create-image prints
  cfsctl compute-id --bootable ./rootfs                Of the boot image`;

const COMPUTE_KARG_EXAMPLES = `
Examples:
  cfsctl compute-karg ./rootfs                         composefs=… for the kernel command line`;

const CREATE_DUMPFILE_EXAMPLES = `
Examples:
  cfsctl create-dumpfile ./rootfs > rootfs.dump`;

const IMAGE_OBJECTS_EXAMPLES = `
Examples:
  cfsctl image-objects base | wc -l                    How many there are
  cfsctl image-objects app:v1                          Those of an OCI image`;

const DUMP_FILES_EXAMPLES = `
Examples:
  cfsctl dump-files base /etc                          The directory, and all below it
  cfsctl dump-files --backing-path-only base /usr/bin/env`;

/** The verbs of spec 70 B5 and C1. */
export function addRepositoryVerbs(program: CfsctlCommand, context: () => Context): void {
  addInit(program, context);

  program
    .verb('transaction', 'Hold the lock of the repository until killed, so that no garbage collection runs')
    .addHelpText('after', TRANSACTION_EXAMPLES)
    .action(async () => (await import('../commands/transaction.js')).transaction(context()));

  program
    .verb('cat', 'Write the content of a stored stream to standard output')
    .argument(
      '<NAME>',
      'The stream: its identifier (such as oci-layer-sha256:…), the digest in it or its first 8 digits, or refs/<name>',
    )
    .addHelpText('after', CAT_EXAMPLES)
    .action(async (name: string) => (await import('../commands/cat.js')).cat(context(), name));

  program
    .verb('gc', 'Delete objects, images and streams that no reference leads to')
    .addOption(list('-r, --root <ROOT>', 'Keep this image or stream as well; may be repeated'))
    .addOption(flag('-n, --dry-run', 'Only show what would be deleted'))
    .addOption(age('--keep-newer-than <AGE>', 'Keep what was stored in this time, as 12h, 7d, with all that it needs'))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', GC_EXAMPLES)
    .action(async (options: GcOptions) => (await import('../commands/gc.js')).gc(context(), options));

  program
    .verb(
      'import-image',
      'Store a composefs image from standard input. Only that it can be read is checked: for trusted images',
    )
    .argument('<REFERENCE>', 'The name to give to the image')
    .addHelpText('after', IMPORT_IMAGE_EXAMPLES)
    .action(async (reference: string) =>
      (await import('../commands/erofs-image.js')).importImage(context(), reference),
    );

  program
    .verb('images', 'List the named images')
    .alias('list-images')
    .addOption(flag('--json', 'Print JSON'))
    .addOption(flag('--no-trunc', 'Show whole digests'))
    .addHelpText('after', IMAGES_EXAMPLES)
    .action(async (options: ImagesOptions) => (await import('../commands/images.js')).images(context(), options));

  program
    .verb('mount', 'Mount an image')
    .argument('<NAME>', IMAGE_NAME)
    .argument('<MOUNTPOINT>', 'The directory to mount it on')
    .addOptions(mountOptions())
    .requires(MOUNT_REQUIREMENTS)
    .addHelpText('after', MOUNT_EXAMPLES)
    .action(async (name: string, mountpoint: string, options: MountOptions) =>
      (await import('../commands/mount.js')).mount(context(), name, mountpoint, options),
    );

  addTreeVerbs(program, context);
  addInspectionVerbs(program, context);
}

function addInit(program: CfsctlCommand, context: () => Context): void {
  const algorithm = value(
    '--algorithm <ALGORITHM>',
    'Digest of the objects: fsverity-sha256-12 or fsverity-sha512-12',
    parseAlgorithm,
  );
  algorithm.default(DEFAULT_ALGORITHM, formatAlgorithm(DEFAULT_ALGORITHM));
  program
    .verb('init', 'Create a repository')
    .argument('[PATH]', 'Where to create it; by default where --repo, --user or --system say')
    .addOption(algorithm)
    .addOption(flag('--insecure', 'Do not require fs-verity of this repository, as for a file system without it'))
    .addOption(
      flag('--reset-metadata', 'Start anew with the objects kept: removes streams/, images/ and the old meta.json'),
    )
    .addOption(flag('--ensure', 'Accept an existing repository of another configuration as it is'))
    .addOption(erofsVersionOption('Image format of the repository [default: 1]'))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', INIT_EXAMPLES)
    .action(async (path: string | undefined, options: InitOptions) =>
      (await import('../commands/init.js')).init(context(), path, options),
    );
}

function addTreeVerbs(program: CfsctlCommand, context: () => Context): void {
  program
    .verb('create-image', 'Store a directory tree: its files as objects, and the image; prints the digest of the image')
    .argument('<PATH>', 'The directory')
    .argument('[IMAGE_NAME]', 'A name for the image, to find it again and to keep it from gc')
    .addOptions(fileSystemOptions())
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', CREATE_IMAGE_EXAMPLES)
    .action(async (path: string, name: string | undefined, options: CreateImageOptions) =>
      (await import('../commands/create-image.js')).createImage(context(), path, name, options),
    );

  program
    .verb('compute-id', 'Print the digest that the image of a directory tree has; stores nothing')
    .argument('<PATH>', 'The directory')
    .addOptions(fileSystemOptions())
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', COMPUTE_ID_EXAMPLES)
    .action(async (path: string, options: CreateImageOptions) =>
      (await import('../commands/create-image.js')).computeId(context(), path, options),
    );

  program
    .verb('compute-karg', 'Print the kernel argument that names the boot image of a directory tree; stores nothing')
    .argument('<PATH>', 'The directory')
    .addOption(noPropagateOption())
    .addHelpText('after', COMPUTE_KARG_EXAMPLES)
    .action(async (path: string, options: ComputeKargOptions) =>
      (await import('../commands/compute-karg.js')).computeKarg(context(), path, options),
    );

  program
    .verb('create-dumpfile', 'Print a directory tree as a composefs dumpfile; stores nothing')
    .argument('<PATH>', 'The directory')
    .addOptions(fileSystemOptions())
    .addHelpText('after', CREATE_DUMPFILE_EXAMPLES)
    .action(async (path: string, options: FileSystemOptions) =>
      (await import('../commands/create-image.js')).createDumpfile(context(), path, options),
    );
}

function addInspectionVerbs(program: CfsctlCommand, context: () => Context): void {
  program
    .verb('image-objects', 'List the objects that an image refers to')
    .argument('<NAME>', IMAGE_NAME)
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', IMAGE_OBJECTS_EXAMPLES)
    .action(async (name: string, options: { json?: boolean }) =>
      (await import('../commands/erofs-image.js')).imageObjects(context(), name, options),
    );

  program
    .verb('dump-files', 'Show files and directories of an image in the dumpfile format')
    .argument('<IMAGE_NAME>', IMAGE_NAME)
    .argument('[FILES...]', 'Paths in the image; a directory stands for everything below it')
    .addOption(flag('--backing-path-only', 'Show where the content is: "inline", or the path below objects/'))
    .addHelpText('after', DUMP_FILES_EXAMPLES)
    .action(async (name: string, files: readonly string[], options: DumpFilesOptions) =>
      (await import('../commands/dump-files.js')).dumpFiles(context(), name, files, options),
    );

  program
    .verb('fsck', 'Check the repository: objects, streams, images and references')
    .addOption(flag('--json', 'Print JSON; then the exit status is 0 whatever was found'))
    .addOption(flag('--metadata-only', 'Do not read the objects: much faster'))
    .addHelpText('after', FSCK_EXAMPLES)
    .action(async (options: FsckOptions) => (await import('../commands/fsck.js')).fsck(context(), options));
}
