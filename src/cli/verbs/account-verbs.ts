import type { DfOptions } from '../commands/df.js';
import type { DuOptions } from '../commands/du.js';
import type { OciHistoryOptions } from '../commands/oci-history.js';
import type { OciPruneOptions } from '../commands/oci-prune.js';
import type { WhyOptions } from '../commands/why.js';
import { age } from '../context/age.js';
import type { Context } from '../context/context.js';
import { flag, IMAGE, wholeNumber } from '../context/options.js';
import type { CfsctlCommand } from './command.js';

const DU_NOTES = `
SIZE is all that an image needs, SHARED what others need as well, UNIQUE the rest. FREED is what is free after all tags of
the image are removed and garbage is collected: nothing if something else names the image.

Examples:
  cfsctl du                        All images
  cfsctl du --layers               Their layers as well
  cfsctl du app:v1 app:v2          Two images with their layers, and what is free without both`;

const DF_EXAMPLES = `
Examples:
  cfsctl df
  cfsctl df --bytes`;

const WHY_EXAMPLES = `
Examples:
  cfsctl why 3fa2c17d                      An object, by the first digits of its name
  cfsctl why oci-layer-sha256:…            A stream; the digest alone is enough
  cfsctl why app                           An image`;

const HISTORY_EXAMPLES = `
Examples:
  cfsctl oci history app
  cfsctl oci history --no-trunc app             Whole commands, as the build ran them`;

const PRUNE_NOTES = `
The age is that of the tag: since it was given, or moved to another image.

Examples:
  cfsctl oci prune --older-than 30d --dry-run     Which tags that would be
  cfsctl oci prune --older-than 2w --keep 5 --gc  All but the five newest, and what only they need`;

/** The verbs that account for what a repository holds. They are ours: the reference has none of them. */
export function addAccountVerbs(program: CfsctlCommand, context: () => Context): void {
  program
    .verb('du', 'Show what images and layers take on the disk, what they share, and what would be free without them')
    .argument('[IMAGE...]', `${IMAGE}; by default all that is named`)
    .addOption(flag('-l, --layers', 'Show layers as well, as is done where an image is given'))
    .addOption(flag('-b, --bytes', 'Print exact numbers of bytes'))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', DU_NOTES)
    .action(async (images: readonly string[], options: DuOptions) =>
      (await import('../commands/du.js')).du(context(), images, options),
    );

  program
    .verb('df', 'Show what the repository takes on the disk, by what it is for')
    .addOption(flag('-b, --bytes', 'Print exact numbers of bytes'))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', DF_EXAMPLES)
    .action(async (options: DfOptions) => (await import('../commands/df.js')).df(context(), options));

  program
    .verb('why', 'Show which references keep something alive')
    .argument('<THING>', 'An object (8 or more digits), a stream, or an image: by name, digest, tag or path')
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', WHY_EXAMPLES)
    .action(async (thing: string, options: WhyOptions) =>
      (await import('../commands/why.js')).why(context(), thing, options),
    );
}

/** Those of images and tags. */
export function addOciAccountVerbs(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('history', 'Show how an image was made: layers, commands, sizes, and what each layer hides of those below')
    .argument('<IMAGE>', IMAGE)
    .addOption(flag('--no-trunc', 'Show whole digests, times and commands'))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', HISTORY_EXAMPLES)
    .action(async (image: string, options: OciHistoryOptions) =>
      (await import('../commands/oci-history.js')).ociHistory(context(), image, options),
    );

  oci
    .verb('prune', 'Remove tags by their age')
    .addOption(age('--older-than <AGE>', 'As 12h, 30d, 2w').makeOptionMandatory())
    .addOption(wholeNumber('--keep <COUNT>', 'Keep so many of the newest tags, however old they are', 0, 999_999))
    .addOption(flag('-n, --dry-run', 'Only show which tags would be removed'))
    .addOption(flag('--gc', 'Then delete what nothing needs any more'))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', PRUNE_NOTES)
    .action(async (options: OciPruneOptions) =>
      (await import('../commands/oci-prune.js')).ociPrune(context(), options),
    );
}
