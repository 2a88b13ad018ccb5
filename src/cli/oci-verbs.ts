import type { CfsctlCommand } from './command.js';
import type { OciFsckOptions } from './commands/oci-fsck.js';
import type { OciImagesOptions } from './commands/oci-images.js';
import type { OciInspectOptions } from './commands/oci-inspect.js';
import type { OciLayerOptions } from './commands/oci-layer.js';
import type { OciPullOptions } from './commands/oci-pull.js';
import type { Context } from './context.js';
import {
  choice,
  type FileSystemOptions,
  flag,
  MOUNT_REQUIREMENTS,
  type MountOptions,
  mountOptions,
  value,
  xattrsOption,
} from './options.js';

const PULL_EXAMPLES = `
Examples:
  cfsctl oci pull oci:./layout:v1 app                        The image tagged v1 of an OCI layout directory
  cfsctl oci pull oci-archive:./app.tar app                  An image in an archive
  cfsctl oci pull --platform linux/arm64 oci:./layout app    The image for another machine`;

/** The verbs of spec 70 C2. They import modules of the OCI layer rather than its face: a listing needs few of them. */
export function addOciVerbs(oci: CfsctlCommand, context: () => Context): void {
  addPull(oci, context);
  addImageVerbs(oci, context);
  addLayerVerbs(oci, context);
  addRootfsVerbs(oci, context);
}

function addPull(oci: CfsctlCommand, context: () => Context): void {
  const progress = choice('--progress <PROGRESS>', 'How to show progress, on standard error', [
    'auto',
    'bar',
    'plain',
    'json',
    'none',
  ]);
  progress.default('auto');
  oci
    .verb('pull', 'Pull an image into the repository')
    .argument('<IMAGE>', 'The image, such as oci:DIRECTORY[:TAG] or oci-archive:FILE[:TAG]')
    .argument('[NAME]', 'Tag for the pulled image; by default the text of IMAGE')
    .addOption(value('--platform <PLATFORM>', 'OS/ARCH[/VARIANT] to take of a multi-platform image'))
    .addOption(progress)
    .addOption(flag('--quiet', 'Show no progress, and print only the digest of the manifest').conflicts(['json']))
    .addOption(flag('--json', 'Print the result as JSON'))
    .addHelpText('after', PULL_EXAMPLES)
    .action(async (image: string, name: string | undefined, options: OciPullOptions) =>
      (await import('./commands/oci-pull.js')).ociPull(context(), image, name, options),
    );
}

function addImageVerbs(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('images', 'List the tagged images')
    .addOption(flag('--json', 'Print JSON'))
    .action(async (options: OciImagesOptions) =>
      (await import('./commands/oci-images.js')).ociImages(context(), options),
    );

  oci
    .verb('inspect', 'Show manifest, config and referrers of an image as JSON')
    .argument('<IMAGE>', 'Tag, or @ and the digest of the manifest: @sha256:…')
    .addOption(flag('--manifest', 'Print only the manifest, as it was stored').conflicts(['config']))
    .addOption(flag('--config', 'Print only the config, as it was stored').conflicts(['manifest']))
    .action(async (image: string, options: OciInspectOptions) =>
      (await import('./commands/oci-inspect.js')).ociInspect(context(), image, options),
    );

  oci
    .verb('tag', 'Give an image another tag')
    .argument('<MANIFEST_DIGEST>', 'Digest of the manifest: sha256:…')
    .argument('<NAME>', "The new tag; must not begin with '@'")
    .action(async (digest: string, name: string) =>
      (await import('./commands/oci-tag.js')).ociTag(context(), digest, name),
    );

  oci
    .verb('untag', 'Remove a tag. The image stays until the next gc')
    .argument('<NAME>', 'The tag')
    .action(async (name: string) => (await import('./commands/oci-untag.js')).ociUntag(context(), name));

  oci
    .verb('fsck', 'Check the images, and the repository as fsck does')
    .argument('[IMAGE]', 'Check only the image of this tag')
    .addOption(flag('--json', 'Print JSON; then the exit status is 0 whatever was found'))
    .action(async (image: string | undefined, options: OciFsckOptions) =>
      (await import('./commands/oci-fsck.js')).ociFsck(context(), image, options),
    );
}

function addLayerVerbs(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('layer', 'Write a stored layer to standard output, as the tar file that it was')
    .argument('<LAYER>', 'Digest of the uncompressed layer (diff_id): sha256:…')
    .addOption(flag('--dumpfile', 'Print one dumpfile line for each entry instead').conflicts(['json']))
    .addOption(flag('--json', 'Print sizes and counts as JSON instead').conflicts(['dumpfile']))
    .action(async (layer: string, options: OciLayerOptions) =>
      (await import('./commands/oci-layer.js')).ociLayer(context(), layer, options),
    );

  oci
    .verb('import-layer', 'Store a tar file from standard input as a layer')
    .argument('<DIGEST>', 'Digest of the tar file (diff_id): sha256:…')
    .argument('[NAME]', 'A name for the layer: it is refs/<name> for cat')
    .action(async (digest: string, name: string | undefined) =>
      (await import('./commands/oci-import-layer.js')).ociImportLayer(context(), digest, name),
    );
}

function addRootfsVerbs(oci: CfsctlCommand, context: () => Context): void {
  const image = 'Tag, or @ and the digest of the config: @sha256:…';
  const verity = 'With @: digest (fs-verity) that the stored config must have, in hex';
  oci
    .verb('dump', 'Print the file system of an image as a composefs dumpfile')
    .argument('<CONFIG_NAME>', image)
    .argument('[CONFIG_VERITY]', verity)
    .addOption(xattrsOption())
    .action(async (name: string, configVerity: string | undefined, options: FileSystemOptions) =>
      (await import('./commands/oci-dump.js')).ociDump(context(), name, configVerity, options),
    );

  oci
    .verb('compute-id', 'Print the digest of the composefs image of an OCI image')
    .argument('<CONFIG_NAME>', image)
    .argument('[CONFIG_VERITY]', verity)
    .addOption(xattrsOption())
    .action(async (name: string, configVerity: string | undefined, options: FileSystemOptions) =>
      (await import('./commands/oci-compute-id.js')).ociComputeId(context(), name, configVerity, options),
    );

  oci
    .verb('mount', 'Mount the file system of an image')
    .argument('<IMAGE>', 'Tag, or digest of the manifest: sha256:…')
    .argument('<MOUNTPOINT>', 'The directory to mount it on')
    .addOptions(mountOptions())
    .requires(MOUNT_REQUIREMENTS)
    .action(async (name: string, mountpoint: string, options: MountOptions) =>
      (await import('./commands/oci-mount.js')).ociMount(context(), name, mountpoint, options),
    );
}
