import type { ImageFilesOptions } from '../commands/image-files.js';
import type { OciExtractOptions } from '../commands/oci-extract.js';
import type { OciFindOptions } from '../commands/oci-find.js';
import type { OciLsOptions } from '../commands/oci-ls.js';
import type { Context } from '../context/context.js';
import { type CfsctlOption, flag, IMAGE, value } from '../context/options.js';
import type { CfsctlCommand } from './command.js';

const FIND_EXAMPLES = `
Examples:
  cfsctl oci find --path '*.so.1'                 Files of that name, in all tagged images
  cfsctl oci find app --path '/usr/lib/**/*.py'   By the whole path
  cfsctl oci find --digest 3fa2c17d               The content that has this name in objects/
  cfsctl oci find app --layers --path /etc/passwd The layers that have it, also where a higher one hides it

Exit status: 1 if there is no such file.`;

function layerOption(): CfsctlOption {
  return value('--layer <LAYER>', 'Of one layer only: its number, the lowest is 1, or its diff_id or the start of it');
}

const LS_EXAMPLES = `
Examples:
  cfsctl oci ls -l app /etc
  cfsctl oci ls -R app                                 Everything, by whole paths
  cfsctl oci ls --layer 2 app                          What the second layer adds`;

const CAT_EXAMPLES = `
Examples:
  cfsctl oci cat app /etc/os-release
  cfsctl oci cat --layer 1 app /etc/passwd      As the lowest layer has it`;

const EXTRACT_EXAMPLES = `
Examples:
  cfsctl oci extract app /etc/ssl .             Makes ./ssl
  cfsctl oci extract app / rootfs               The whole tree; --no-owners for ordinary users`;

/** The verbs that look inside images without mounting them. They are ours: the reference has none of them. */
export function addLookVerbs(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('ls', 'List the files of an image')
    .argument('<IMAGE>', IMAGE)
    .argument('[PATH]', 'A directory or file in it', '/')
    .addOption(flag('-l, --long', 'Mode, links, owner, group, size, time (UTC) and target, too'))
    .addOption(flag('-R, --recursive', 'All that is below, by whole paths'))
    .addOption(layerOption())
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', LS_EXAMPLES)
    .action(async (image: string, path: string, options: OciLsOptions) =>
      (await import('../commands/oci-ls.js')).ociLs(context(), image, path, options),
    );

  oci
    .verb('cat', 'Write files of an image to standard output')
    .argument('<IMAGE>', IMAGE)
    .argument('<PATH...>', 'Files in it; symlinks are followed inside of the image')
    .addOption(layerOption())
    .addHelpText('after', CAT_EXAMPLES)
    .action(async (image: string, paths: readonly string[], options: ImageFilesOptions) =>
      (await import('../commands/oci-cat.js')).ociCat(context(), image, paths, options),
    );

  oci
    .verb('extract', 'Copy a file or a directory out of an image')
    .argument('<IMAGE>', IMAGE)
    .argument('<PATH>', 'What to copy: / is everything')
    .argument('<DEST>', 'Where to: a new name, or a directory to copy it into')
    .addOption(layerOption())
    .addOption(flag('--no-owners', 'Leave the owners to the user who runs this; only root can set them'))
    .addOption(flag('--no-xattrs', 'Set no extended attributes'))
    .addOption(flag('--json', 'Print the result as JSON'))
    .addHelpText('after', EXTRACT_EXAMPLES)
    .action(async (image: string, path: string, destination: string, options: OciExtractOptions) =>
      (await import('../commands/oci-extract.js')).ociExtract(context(), image, path, destination, options),
    );

  oci
    .verb('find', 'Show which images, or which layers of them, have a file, and where')
    .argument('[IMAGE...]', 'Where to look; by default in all tagged images')
    .addOption(
      value('--path <GLOB>', 'By name, or with a slash by whole path: *, ?, [a-z], {a,b}, ** for any directories'),
    )
    .addOption(value('--digest <ID>', 'By the name of the object that is the content: 8 or more hex digits'))
    .addOption(flag('--layers', 'Show which layers have it, and in which images those are'))
    .addOption(layerOption().conflicts(['layers']))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', FIND_EXAMPLES)
    .action(async (images: readonly string[], options: OciFindOptions) =>
      (await import('../commands/oci-find.js')).ociFind(context(), images, options),
    );
}
