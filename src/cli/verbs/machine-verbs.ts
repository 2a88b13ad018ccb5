import type { UnmountOptions } from '../../composefs/index.js';
import type { DoctorOptions } from '../commands/doctor.js';
import type { Context } from '../context/context.js';
import { flag } from '../context/options.js';
import type { CfsctlCommand } from './command.js';

const UMOUNT_EXAMPLES = `
Examples:
  cfsctl umount /mnt
  cfsctl umount --lazy /mnt /srv/app                   Both, whoever still uses them`;

const DOCTOR_NOTES = `
Examples:
  cfsctl doctor
  cfsctl --repo /var/lib/images doctor                 With the file system of a repository
  cfsctl doctor --json | jq '.checks[] | select(.state != "ok")'

Exit status: 0 unless something is missing without which no image can be stored or read.`;

const UNSHARE_NOTES = `
Examples:
  cfsctl unshare                            A shell that may mount
  cfsctl unshare -- sh -c 'cfsctl oci mount app ./mnt && ls ./mnt; cfsctl umount ./mnt'

The mounts are seen by what runs inside, and nowhere else.`;

/** The verbs about this machine rather than a repository. They are ours: spec 70 has none of them. */
export function addMachineVerbs(program: CfsctlCommand, context: () => Context): void {
  program
    .verb('umount', 'Unmount images, whichever way they were mounted')
    .argument('<MOUNTPOINT...>', 'Where they are mounted')
    .addOption(flag('-l, --lazy', 'Detach at once, also what is in use; it goes away with its last user'))
    .addHelpText('after', UMOUNT_EXAMPLES)
    .action(async (mountPoints: readonly string[], options: UnmountOptions) =>
      (await import('../commands/umount.js')).umount(mountPoints, options),
    );

  program
    .verb('unshare', 'Run a command as root of a user namespace of its own, in which an ordinary user may mount')
    .argument('[COMMAND...]', 'The command and its arguments [default: $SHELL]')
    .passThroughOptions()
    .addHelpText('after', UNSHARE_NOTES)
    .action(async (command: readonly string[]) => (await import('../commands/unshare.js')).unshare(command));

  program
    .verb('doctor', 'Show what this machine can do, what it cannot, and what would help')
    .addOption(flag('--json', 'Print JSON'))
    .addHelpText('after', DOCTOR_NOTES)
    .action(async (options: DoctorOptions) => (await import('../commands/doctor.js')).doctor(context(), options));
}
