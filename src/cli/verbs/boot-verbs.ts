import type { BootCheckOptions } from '../commands/boot-check.js';
import type { BootPruneOptions } from '../commands/boot-prune.js';
import type { BootRemoveOptions } from '../commands/boot-remove.js';
import type { OciPrepareBootOptions } from '../commands/oci-prepare-boot.js';
import type { Context } from '../context/context.js';
import { type CfsctlOption, flag, IMAGE, layerRulesOption, list, value } from '../context/options.js';
import type { CfsctlCommand } from './command.js';

function bootdirOption(): CfsctlOption {
  const option = value('--bootdir <BOOTDIR>', 'Where the boot partition is mounted');
  option.default('/boot');
  return option;
}

const PREPARE_BOOT_EXAMPLES = `
Examples:
  cfsctl oci prepare-boot app                        Boot entry for the image with the tag app, on /boot
  cfsctl oci prepare-boot app --dry-run              What would be written
  cfsctl oci prepare-boot app --entry-id app-2 --cmdline quiet --prune`;

/** `oci prepare-boot` of spec 70 C2. */
export function addPrepareBoot(oci: CfsctlCommand, context: () => Context): void {
  oci
    .verb('prepare-boot', 'Make the boot image of an image, the directories of its state, and the boot entry for it')
    .argument('<CONFIG_NAME>', IMAGE)
    .argument('[CONFIG_VERITY]', 'With a digest: the digest (fs-verity) that the stored config must have, in hex')
    .addOption(bootdirOption())
    .addOption(value('--entry-id <ENTRY_ID>', 'Name of the entry; by default that in the image, or the kernel version'))
    .addOption(list('--cmdline <CMDLINE>', 'A further kernel argument; may be repeated'))
    .addOption(flag('--addons', 'Write the addons of a UKI as well'))
    .addOption(flag('-n, --dry-run', 'Only show what would be written'))
    .addOption(flag('--prune', 'Then remove entries whose images are gone, as `boot prune` does'))
    .addOption(flag('--json', 'Print what was written as JSON'))
    .addOption(layerRulesOption())
    .addHelpText('after', PREPARE_BOOT_EXAMPLES)
    .action(async (name: string, verity: string | undefined, options: OciPrepareBootOptions) =>
      (await import('../commands/oci-prepare-boot.js')).ociPrepareBoot(context(), name, verity, options),
    );
}

const CHECK_EXAMPLES = `
Examples:
  cfsctl boot check os:2
  cfsctl boot check os:2 --expected-digest 5a0f…9c     Whether the composefs= of its kernel command line can be right`;

const BOOT_PRUNE_EXAMPLES = `
Examples:
  cfsctl boot prune --dry-run                          What would go
  cfsctl boot prune --bootdir /efi`;

const REMOVE_EXAMPLES = `
Examples:
  cfsctl boot remove os-1 && cfsctl gc                 Then what only it needs is gone`;

/** What the reference does not have. */
export function addBootVerbs(boot: CfsctlCommand, context: () => Context): void {
  boot
    .verb('check', 'Say whether a machine can boot from an image, and why not; nothing is stored')
    .argument('<IMAGE>', IMAGE)
    .addOption(value('--expected-digest <HEX>', 'Say what differs if the boot image has not this digest (fs-verity)'))
    .addOption(flag('--json', 'Print JSON; then the exit status is 0 whatever was found'))
    .addOption(layerRulesOption())
    .addHelpText('after', CHECK_EXAMPLES)
    .action(async (name: string, options: BootCheckOptions) =>
      (await import('../commands/boot-check.js')).bootCheck(context(), name, options),
    );

  boot
    .verb('prune', 'Remove the boot entries and UKIs whose images are not in the repository any more')
    .addOption(bootdirOption())
    .addOption(flag('-n, --dry-run', 'Only show what would be removed'))
    .addOption(flag('--force', 'Also if nothing is left that boots an image of this repository'))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', BOOT_PRUNE_EXAMPLES)
    .action(async (options: BootPruneOptions) =>
      (await import('../commands/boot-prune.js')).bootPrune(context(), options),
    );

  boot
    .verb('remove', 'Remove a boot entry, and what only it needs on the boot partition; the next gc takes its image')
    .argument('<ENTRY>', 'Its name, with or without .conf or .efi')
    .addOption(bootdirOption())
    .addOption(flag('--force', 'Also if it is the last one by which this machine starts'))
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', REMOVE_EXAMPLES)
    .action(async (name: string, options: BootRemoveOptions) =>
      (await import('../commands/boot-remove.js')).bootRemove(context(), name, options),
    );
}
