import type { OciExportOptions } from '../commands/oci-export.js';
import type { Context } from '../context/context.js';
import { choice, flag, wholeNumber } from '../context/options.js';
import type { CfsctlCommand } from './command.js';

const PROGRESS_MODES: readonly string[] = ['auto', 'bar', 'plain', 'json', 'none'];

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

/** The verbs that bring images out of the repository. */
export function addOciTransferVerbs(oci: CfsctlCommand, context: () => Context): void {
  const recompress = choice(
    '--recompress <FORMAT>',
    'Compress layers anew: in the format that they had, or in another',
    ['same', 'gzip', 'zstd', 'none'],
  );
  recompress.impliedValue = 'same';
  const progress = choice('--progress <PROGRESS>', 'How to show progress, on standard error', PROGRESS_MODES);
  progress.default(undefined, 'auto');
  oci
    .verb('export', 'Write an image to a layout, an archive, a directory or a tar')
    .argument('<IMAGE>', 'Tag, or digest: sha256:…')
    .argument(
      '<TARGET>',
      'oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG], dir:DIR or tar:FILE; - as FILE is standard output',
    )
    .addOption(recompress)
    .addOption(wholeNumber('--level <LEVEL>', 'Level of the compression: 1 to 9 of gzip, 1 to 22 of zstd', 1, 22))
    .addOption(flag('--force', 'Replace a file that is there'))
    .addOption(flag('--dry-run', 'Print the digest that the image would have, and write nothing'))
    .addOption(progress)
    .addOption(flag('--quiet', 'Show no progress, and print only the digest').conflicts(['json']))
    .addOption(flag('--json', 'Print the result as JSON'))
    .requires({ level: ['recompress'] })
    .addHelpText('after', EXPORT_EXAMPLES)
    .action(async (image: string, target: string, options: OciExportOptions) =>
      (await import('../commands/oci-export.js')).ociExport(context(), image, target, options),
    );
}
