import type { OciComputeIdOptions } from '../commands/oci-filesystem.js';
import type { OciFsckOptions } from '../commands/oci-fsck.js';
import type { OciImagesOptions } from '../commands/oci-images.js';
import type { OciInspectOptions } from '../commands/oci-inspect.js';
import type { OciLayerOptions } from '../commands/oci-layer.js';
import type { OciLoginOptions } from '../commands/oci-login.js';
import type { OciLogoutOptions } from '../commands/oci-logout.js';
import type { OciPullOptions } from '../commands/oci-pull.js';
import type { OciTagOptions } from '../commands/oci-tag.js';
import type { Context } from '../context/context.js';
import { MOUNT_REQUIREMENTS, type OciMountOptions, ociMountOptions } from '../context/mount-options.js';
import {
  choice,
  flag,
  IMAGE,
  type LayerLimitOptions,
  layerLimitOptions,
  layerRulesOption,
  type OciFileSystemOptions,
  ociFileSystemOptions,
  value,
  wholeNumber,
} from '../context/options.js';
import { authFileOption, registryOptions } from '../context/registry-options.js';
import { credsOption, progressFdOption, progressOption, retryOptions } from '../context/transfer-options.js';
import { addPrepareBoot } from './boot-verbs.js';
import type { CfsctlCommand } from './command.js';
import { addOciTransferVerbs } from './oci-transfer-verbs.js';

const PULL_EXAMPLES = `
Examples:
  cfsctl oci pull docker://quay.io/fedora/fedora:42 fedora   An image in a registry
  cfsctl oci pull docker://quay.io/team/app@sha256:… app     The image of a digest
  cfsctl oci pull debian                                     A short name: registries.conf, or docker.io
  cfsctl oci pull --tls-verify=false docker://localhost/app  From a registry without TLS
  cfsctl oci pull oci:./layout:v1 app                        The image tagged v1 of an OCI layout directory
  cfsctl oci pull oci-archive:./app.tar app                  An image in an archive
  cfsctl oci pull docker-archive:./saved.tar:app:v1 app      Of what \`docker save\` or \`podman save\` wrote
  cfsctl oci pull dir:./copied app                           Of what \`skopeo copy … dir:\` wrote
  cfsctl oci pull containers-storage:localhost/app:v1 app    What podman, buildah or CRI-O have, where it can be without a copy
  cfsctl oci pull docker-daemon:app:v1 app                   Of the Docker daemon; needs skopeo
  cfsctl oci pull --platform linux/arm64 oci:./layout app    The image for another machine

Whatever else skopeo knows (sif:, …) is read with it, if it is installed.
A pull that was interrupted goes on where it stopped. \`cfsctl oci login\` stores credentials.`;

const LOGIN_EXAMPLES = `
Examples:
  cfsctl oci login quay.io                                   Asks for user name and password
  cfsctl oci login -u ann --password-stdin localhost:5000 < password.txt
  cfsctl oci login --authfile ./auth.json quay.io/team       For the images below a namespace only`;

const IMAGES_EXAMPLES = `
Examples:
  cfsctl oci images
  cfsctl oci images --json | jq -r '.images[].name'    Their tags
  cfsctl oci images --store containers-storage         What podman has`;

const INSPECT_EXAMPLES = `
Examples:
  cfsctl oci inspect --config app | jq .config.Entrypoint
  cfsctl oci inspect --manifest app | jq '.layers[].size'`;

const TAG_EXAMPLES = `
Examples:
  cfsctl oci tag app:v1 app:stable                     What app:v1 is now
  cfsctl oci tag 3fa2c17d9e01 app:old                  An image by the first digits of its digest`;

const UNTAG_EXAMPLES = `
Examples:
  cfsctl oci untag app:old && cfsctl gc                Then what only it needs is gone`;

const OCI_MOUNT_EXAMPLES = `
Examples:
  cfsctl oci mount app:v1 /mnt                         Read-only, by the kernel or through FUSE
  cfsctl oci mount --read-write --upperdir up --workdir work app:v1 /mnt
  cfsctl umount /mnt`;

const OCI_FSCK_EXAMPLES = `
Examples:
  cfsctl oci fsck                                      All images, and the repository
  cfsctl oci fsck app:v1`;

const LOGOUT_EXAMPLES = `
Examples:
  cfsctl oci logout quay.io
  cfsctl oci logout --all`;

const LINKED_EROFS_IMAGES_EXAMPLES = `
Examples:
  cfsctl oci linked-erofs-images app
  cfsctl oci linked-erofs-images app | jq -r '.[].id'  Their digests`;

const LAYER_EXAMPLES = `
Examples:
  cfsctl oci layer 3fa2c17d | tar -t                   By the first digits of its diff_id, as \`oci history\` shows them
  cfsctl oci layer --dumpfile 3fa2c17d
  cfsctl oci layer --json 3fa2c17d`;

const IMPORT_LAYER_EXAMPLES = `
Examples:
  cfsctl oci import-layer sha256:$(sha256sum layer.tar | cut -d ' ' -f 1) base < layer.tar
  cfsctl cat refs/base > same.tar                      By the name that it was given`;

const DUMP_EXAMPLES = `
Examples:
  cfsctl oci dump app > app.dump
  cfsctl oci dump app | grep '^/etc/passwd '`;

const COMPUTE_ID_EXAMPLES = `
Examples:
  cfsctl oci compute-id app
  cfsctl oci compute-id --bootable app                 Of the boot image`;

/** The verbs of spec 70 C2. */
export function addOciVerbs(oci: CfsctlCommand, context: () => Context): void {
  addPull(oci, context);
  addOciTransferVerbs(oci, context);
  addLogin(oci, context);
  addImageVerbs(oci, context);
  addLayerVerbs(oci, context);
  addRootfsVerbs(oci, context);
  addPrepareBoot(oci, context);
}

function addPull(oci: CfsctlCommand, context: () => Context): void {
  const localFetch = choice(
    '--local-fetch <MODE>',
    "How layers in podman's store become objects: by skopeo, by reflink, link or else copy, or without any copy",
    ['disabled', 'auto', 'zerocopy'],
  );
  localFetch.default(undefined, 'auto');
  const minRate = wholeNumber(
    '--min-rate <BYTES>',
    'Give up on a layer that comes slower than this a second',
    0,
    2 ** 31,
  );
  minRate.default(undefined, '1024');
  oci
    .verb('pull', 'Pull an image into the repository')
    .argument('<IMAGE>', 'The image: docker://HOST/NAME[:TAG][@DIGEST], oci:DIRECTORY[:TAG], or of another transport')
    .argument('[NAME]', 'Tag for the pulled image; by default the text of IMAGE')
    .addOption(value('--platform <PLATFORM>', 'OS/ARCH[/VARIANT] to take of a multi-platform image'))
    .addOption(credsOption())
    .addOptions(registryOptions())
    .addOption(value('--signature-policy <FILE>', "policy.json in place of the user's or the system's"))
    .addOption(flag('--bootable', 'Make the boot image as well: with SELinux labels, and empty /boot and /sysroot'))
    .addOption(
      value(
        '--expected-digest <HEX>',
        'Look for the mode and format of the boot image that has this digest (fs-verity)',
      ),
    )
    .requires({ expectedDigest: ['bootable'] })
    .addOption(flag('--referrers', 'Pull what refers to the image as well: signatures, SBOMs'))
    .addOption(flag('--keep-blobs', 'Keep layers as they were compressed, too, so that the image can leave as it came'))
    .addOption(choice('--via <PROGRAM>', 'Read the image with this program, whatever its transport', ['skopeo']))
    .addOption(localFetch)
    .addOption(layerRulesOption())
    .addOptions(layerLimitOptions())
    .addOptions(retryOptions())
    .addOption(minRate)
    .addOption(progressOption())
    .addOption(progressFdOption())
    .addOption(flag('-q, --quiet', 'Show no progress, and print only the digest of the manifest').conflicts(['json']))
    .addOption(flag('--json', 'Print the result as JSON'))
    .addHelpText('after', PULL_EXAMPLES)
    .action(async (image: string, name: string | undefined, options: OciPullOptions) =>
      (await import('../commands/oci-pull.js')).ociPull(context(), image, name, options),
    );
}

function addLogin(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('login', 'Check credentials for a registry, and store them where podman and skopeo find them')
    .argument('<REGISTRY>', 'HOST[:PORT], or HOST[:PORT]/NAMESPACE for a part of it')
    .addOption(value('-u, --username <USERNAME>', 'User name; asked for if left out'))
    .addOption(
      value('-p, --password <PASSWORD>', 'Password; other users of this machine may see it: better --password-stdin'),
    )
    .addOption(flag('--password-stdin', 'Read the password from standard input').conflicts(['password']))
    .addOption(flag('--get-login', 'Print the user name that is logged in, and do nothing else'))
    .addOptions(registryOptions())
    .requires({ passwordStdin: ['username'] })
    .addHelpText('after', LOGIN_EXAMPLES)
    .action(async (registry: string, options: OciLoginOptions) =>
      (await import('../commands/oci-login.js')).ociLogin(context(), registry, options),
    );

  oci
    .verb('logout', 'Remove the stored credentials for a registry')
    .argument('[REGISTRY]', 'As for login')
    .addOption(flag('-a, --all', 'Remove the credentials for all registries'))
    .addOption(authFileOption())
    .addHelpText('after', LOGOUT_EXAMPLES)
    .action(async (registry: string | undefined, options: OciLogoutOptions) =>
      (await import('../commands/oci-logout.js')).ociLogout(context(), registry, options),
    );
}

function addImageVerbs(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('images', 'List the tagged images')
    .addOption(choice('--store <STORE>', 'List what podman, buildah and CRI-O have instead', ['containers-storage']))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', IMAGES_EXAMPLES)
    .action(async (options: OciImagesOptions) =>
      (await import('../commands/oci-images.js')).ociImages(context(), options),
    );

  oci
    .verb('inspect', 'Show manifest, config and referrers of an image as JSON')
    .argument('<IMAGE>', IMAGE)
    .addOption(flag('--manifest', 'Print only the manifest, as it was stored').conflicts(['config']))
    .addOption(flag('--config', 'Print only the config, as it was stored').conflicts(['manifest']))
    .addHelpText('after', INSPECT_EXAMPLES)
    .action(async (image: string, options: OciInspectOptions) =>
      (await import('../commands/oci-inspect.js')).ociInspect(context(), image, options),
    );

  oci
    .verb('linked-erofs-images', 'List all EROFS images of the image to which one of them belongs, as JSON')
    .argument('<VERITY>', 'Digest (fs-verity) of an EROFS image, plain or boot, in hex; or an image: tag, sha256:…, …')
    .addHelpText('after', LINKED_EROFS_IMAGES_EXAMPLES)
    .action(async (verity: string) =>
      (await import('../commands/oci-linked-erofs-images.js')).ociLinkedErofsImages(context(), verity),
    );

  oci
    .verb('tag', 'Give an image another tag')
    .argument('<IMAGE>', IMAGE)
    .argument('<NAME>', "The new tag; must not begin with '@'")
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', TAG_EXAMPLES)
    .action(async (image: string, name: string, options: OciTagOptions) =>
      (await import('../commands/oci-tag.js')).ociTag(context(), image, name, options),
    );

  oci
    .verb('untag', 'Remove a tag. The image stays until the next gc')
    .argument('<NAME>', 'The tag')
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', UNTAG_EXAMPLES)
    .action(async (name: string, options: OciTagOptions) =>
      (await import('../commands/oci-tag.js')).ociUntag(context(), name, options),
    );

  oci
    .verb('fsck', 'Check the images, and the repository as fsck does')
    .argument('[IMAGE]', `Check only this image. ${IMAGE}`)
    .addOption(flag('--json', 'Print JSON; then the exit status is 0 whatever was found'))
    .addHelpText('after', OCI_FSCK_EXAMPLES)
    .action(async (image: string | undefined, options: OciFsckOptions) =>
      (await import('../commands/oci-fsck.js')).ociFsck(context(), image, options),
    );
}

function addLayerVerbs(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('layer', 'Write a stored layer to standard output, as the tar file that it was')
    .argument('<LAYER>', 'Digest of the uncompressed layer (diff_id): sha256:…, or its first 8 or more digits')
    .addOption(flag('--dumpfile', 'Print one dumpfile line for each entry instead').conflicts(['json']))
    .addOption(flag('--json', 'Print sizes and counts as JSON instead').conflicts(['dumpfile']))
    .addHelpText('after', LAYER_EXAMPLES)
    .action(async (layer: string, options: OciLayerOptions) =>
      (await import('../commands/oci-layer.js')).ociLayer(context(), layer, options),
    );

  oci
    .verb('import-layer', 'Store a tar file from standard input as a layer')
    .argument('<DIGEST>', 'Digest of the tar file (diff_id): sha256:…')
    .argument('[NAME]', 'A name for the layer: it is refs/<name> for cat')
    .addOptions(layerLimitOptions())
    .addHelpText('after', IMPORT_LAYER_EXAMPLES)
    .action(async (digest: string, name: string | undefined, options: LayerLimitOptions) =>
      (await import('../commands/oci-import-layer.js')).ociImportLayer(context(), digest, name, options),
    );
}

function addRootfsVerbs(oci: CfsctlCommand, context: () => Context): void {
  const verity = 'With a digest: the digest (fs-verity) that the stored config must have, in hex';
  oci
    .verb('dump', 'Print the file system of an image as a composefs dumpfile')
    .argument('<CONFIG_NAME>', IMAGE)
    .argument('[CONFIG_VERITY]', verity)
    .addOptions(ociFileSystemOptions())
    .addHelpText('after', DUMP_EXAMPLES)
    .action(async (name: string, configVerity: string | undefined, options: OciFileSystemOptions) =>
      (await import('../commands/oci-filesystem.js')).ociDump(context(), name, configVerity, options),
    );

  oci
    .verb('compute-id', 'Print the digest of the composefs image of an OCI image')
    .argument('<CONFIG_NAME>', IMAGE)
    .argument('[CONFIG_VERITY]', verity)
    .addOptions(ociFileSystemOptions())
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', COMPUTE_ID_EXAMPLES)
    .action(async (name: string, configVerity: string | undefined, options: OciComputeIdOptions) =>
      (await import('../commands/oci-filesystem.js')).ociComputeId(context(), name, configVerity, options),
    );

  oci
    .verb('mount', 'Mount the file system of an image')
    .argument('<IMAGE>', IMAGE)
    .argument('<MOUNTPOINT>', 'The directory to mount it on')
    .addOption(flag('--bootable', 'Mount the boot image instead of the plain one'))
    .addOptions(ociMountOptions())
    .requires(MOUNT_REQUIREMENTS)
    .addHelpText('after', OCI_MOUNT_EXAMPLES)
    .action(async (name: string, mountpoint: string, options: OciMountOptions) =>
      (await import('../commands/oci-mount.js')).ociMount(context(), name, mountpoint, options),
    );
}
