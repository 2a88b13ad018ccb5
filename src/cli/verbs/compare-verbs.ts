import { ASPECTS } from '../../composefs/index.js';
import type { OciDiffOptions } from '../commands/oci-diff.js';
import type { OciExplainOptions } from '../commands/oci-explain.js';
import type { Context } from '../context/context.js';
import { choices, flag, xattrsOption } from '../context/options.js';
import type { CfsctlCommand } from './command.js';

const COMPARED = 'An image (tag, digest, its first 8 or more digits), or a directory: ./name, /mnt';

const DIFF_NOTES = `
Lines begin with A (added), D (removed), C (changed) or R (renamed: the same content at another path).

Examples:
  cfsctl oci diff app:v1 app:v2                  What an update changed
  cfsctl oci diff --summary app:v1 app:v2
  cfsctl oci diff app /mnt                       What was changed in a mounted tree
  cfsctl oci diff --as-image app ./rootfs        An image with the directory that it is to be made of
  cfsctl oci diff --ignore time,owner app ./rootfs

Exit status: 0 if they are the same, 1 if they differ, 2 if they could not be compared.`;

const EXPLAIN_NOTES = `
With a digest, formats, xattr modes, plain and boot images, layer rules and sha256 or sha512 are tried, and those named by
which the image has it. With a directory or an image, what it takes to make that the image: the fewest statements.

Examples:
  cfsctl oci explain 5a0f…9c app           The digest that another machine has computed
  cfsctl oci explain ./rootfs app          The directory that should have given the same image
  cfsctl oci explain app:v1 app:v2

Exit status: 0 if something explains it, 1 if nothing does, 2 if it could not be found out.`;

/** The verbs that compare images. They are ours: the reference has none of them. */
export function addCompareVerbs(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('diff', 'Show how two images or directories differ: added, removed, changed and renamed files')
    .argument('<A>', COMPARED)
    .argument('<B>', 'The same')
    .addOption(choices('--ignore <ASPECT,...>', 'What may differ', ASPECTS))
    .addOption(flag('--no-renames', 'Show what was renamed as removed and added'))
    .addOption(
      flag('--as-image', 'Take directories as create-image does: metadata of the root, empty /run, xattrs filtered'),
    )
    .addOption(xattrsOption())
    .addOption(flag('-s, --summary', 'Print how much differs, and no list'))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', DIFF_NOTES)
    .action(async (a: string, b: string, options: OciDiffOptions) =>
      (await import('../commands/oci-diff.js')).ociDiff(context(), a, b, options),
    );

  oci
    .verb('explain', 'Find out why an image does not have a digest, or is not like a directory or another image')
    .argument('<EXPECTED>', `A digest as compute-id prints it; ${COMPARED.charAt(0).toLowerCase()}${COMPARED.slice(1)}`)
    .argument('<IMAGE>', 'The stored image')
    .addOption(xattrsOption())
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', EXPLAIN_NOTES)
    .action(async (expected: string, image: string, options: OciExplainOptions) =>
      (await import('../commands/oci-explain.js')).ociExplain(context(), expected, image, options),
    );
}
