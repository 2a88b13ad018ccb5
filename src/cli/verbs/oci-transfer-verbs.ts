import type { OciExportOptions } from '../commands/oci-export.js';
import type { OciPushOptions } from '../commands/oci-push.js';
import type { Context } from '../context/context.js';
import { type CfsctlOption, choice, flag, IMAGE, wholeNumber } from '../context/options.js';
import { registryOptions } from '../context/registry-options.js';
import { credsOption, progressFdOption, progressOption, retryOptions } from '../context/transfer-options.js';
import type { CfsctlCommand } from './command.js';

const EXPORT_EXAMPLES = `
Examples:
  cfsctl oci export app oci:./layout:v1                      Into an OCI layout, new or there already
  cfsctl oci export app oci-archive:app.tar:v1               Into one file
  cfsctl oci export app docker-archive:app.tar:app:v1        For \`docker load\` and \`podman load\`
  cfsctl oci export app docker-archive:-:app:v1 | podman load
  cfsctl oci export app dir:./copied                         As \`skopeo copy … dir:\` writes it
  cfsctl oci export app tar:files.tar                        The files of the image, as they are mounted
  cfsctl oci export --recompress=zstd app oci:./layout       With layers that are compressed anew

An image keeps its digest if its layers were not compressed. Otherwise only the content of its layers is stored:
--recompress says that another digest is fine. A Docker archive and a tar have no manifest, and no such digest.`;

const PUSH_EXAMPLES = `
Examples:
  cfsctl oci push app docker://quay.io/team/app:1                 Under the digest that it was pulled with
  cfsctl oci push --recompress app docker://quay.io/team/app:1    Under another one, if it takes that
  cfsctl oci push --referrers app docker://localhost:5000/app     With signatures and SBOMs

What the registry has is not sent; what another repository of it has, as tags like quay.io/team/base:1 tell, is mounted.
The digest is known before a byte is sent; --dry-run prints it. \`cfsctl oci login\` stores credentials.`;

/** The verbs that bring images out of the repository. */
export function addOciTransferVerbs(oci: CfsctlCommand, context: () => Context): void {
  addExport(oci, context);
  addPush(oci, context);
}

function recompressOptions(): CfsctlOption[] {
  const formats = ['same', 'gzip', 'zstd', 'none'];
  const description = 'Compress layers anew: in the format that they had, or in another';
  const recompress = choice('--recompress <FORMAT>', description, formats);
  recompress.impliedValue = 'same';
  return [
    recompress,
    wholeNumber('--level <LEVEL>', 'Level of the compression: 1 to 9 of gzip, 1 to 22 of zstd', 1, 22),
  ];
}

function addPush(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('push', 'Send an image to a registry')
    .argument('<IMAGE>', IMAGE)
    .argument('<TARGET>', 'docker://HOST[:PORT]/NAME[:TAG]')
    .addOptions(recompressOptions())
    .addOption(flag('--referrers', 'Send what refers to the image as well: signatures, SBOMs'))
    .addOption(flag('--dry-run', 'Print the digest that the image would have, and send nothing'))
    .addOption(credsOption())
    .addOptions(registryOptions())
    .addOptions(retryOptions())
    .addOption(wholeNumber('--chunk-size <MIB>', 'Send at most so much of a layer in one request', 1, 1 << 20))
    .addOption(progressOption())
    .addOption(progressFdOption())
    .addOption(flag('-q, --quiet', 'Show no progress, and print only the digest').conflicts(['json']))
    .addOption(flag('--json', 'Print the result as JSON'))
    .requires({ level: ['recompress'] })
    .addHelpText('after', PUSH_EXAMPLES)
    .action(async (image: string, target: string, options: OciPushOptions) =>
      (await import('../commands/oci-push.js')).ociPush(context(), image, target, options),
    );
}

function addExport(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('export', 'Write an image to a layout, an archive, a directory or a tar')
    .argument('<IMAGE>', IMAGE)
    .argument(
      '<TARGET>',
      'oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG], dir:DIR or tar:FILE; - as FILE is standard output',
    )
    .addOptions(recompressOptions())
    .addOption(
      flag('--referrers', 'Write what refers to the image as well: signatures, SBOMs; to oci: and oci-archive:'),
    )
    .addOption(flag('--force', 'Replace a file that is there'))
    .addOption(flag('--dry-run', 'Print the digest that the image would have, and write nothing'))
    .addOption(progressOption())
    .addOption(progressFdOption())
    .addOption(flag('-q, --quiet', 'Show no progress, and print only the digest').conflicts(['json']))
    .addOption(flag('--json', 'Print the result as JSON'))
    .requires({ level: ['recompress'] })
    .addHelpText('after', EXPORT_EXAMPLES)
    .action(async (image: string, target: string, options: OciExportOptions) =>
      (await import('../commands/oci-export.js')).ociExport(context(), image, target, options),
    );
}
