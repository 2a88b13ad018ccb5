import type { Context } from './context/context.js';
import { flag, type GlobalOptions, globalOptions } from './context/options.js';
import { packageVersion } from './context/package-version.js';
import type { Output } from './terminal/output.js';
import { addAccountVerbs, addOciAccountVerbs } from './verbs/account-verbs.js';
import { addBootVerbs } from './verbs/boot-verbs.js';
import { CfsctlCommand } from './verbs/command.js';
import { addCompareVerbs } from './verbs/compare-verbs.js';
import { addLookVerbs } from './verbs/look-verbs.js';
import { addMachineVerbs } from './verbs/machine-verbs.js';
import { addOciVerbs } from './verbs/oci-verbs.js';
import { addRepositoryVerbs } from './verbs/repository-verbs.js';
import { addShellVerbs } from './verbs/shell-verbs.js';

const EXAMPLES = `
Examples:
  cfsctl --repo ./repo init --insecure            Create a repository on any file system
  cfsctl --repo ./repo oci pull oci:./layout app  Pull an image from an OCI layout, and tag it app
  cfsctl --repo ./repo oci mount app /mnt         Mount it
  cfsctl --repo ./repo gc --dry-run               Show what a garbage collection would delete`;

/** `--version` was given; the message is what to print. */
export class VersionRequest extends Error {}

/**
 * The command tree of `cfsctl`. It only declares: what a verb does is loaded when the verb runs, so that help and
 * usage errors come at once.
 */
export function createProgram(output: Output): CfsctlCommand {
  const program = new CfsctlCommand('cfsctl')
    .description('Store, check and mount OCI images and directory trees as composefs file systems')
    .enablePositionalOptions()
    .exitOverride()
    .addOptions(globalOptions())
    .addHelpText('after', EXAMPLES)
    .hook('preAction', (_, verb) => {
      if (verb instanceof CfsctlCommand) verb.refuseEmptyArguments();
    });
  addVersionOption(program);
  const context = (): Context => ({ globals: program.opts<GlobalOptions>(), output });
  addRepositoryVerbs(program, context);
  addAccountVerbs(program, context);
  addMachineVerbs(program, context);
  addShellVerbs(program, context);
  addBootVerbs(program.verb('boot', 'Boot entries').enablePositionalOptions(), context);
  const oci = program.verb('oci', 'OCI images and layers').enablePositionalOptions();
  addOciVerbs(oci, context);
  addLookVerbs(oci, context);
  addCompareVerbs(oci, context);
  addOciAccountVerbs(oci, context);
  for (const group of [program, ...program.commands]) {
    if (group instanceof CfsctlCommand && group.commands.length > 0) addHelpVerb(group);
  }
  return program;
}

function addVersionOption(program: CfsctlCommand): void {
  program.addOption(flag('-V, --version', 'Print version'));
  // Not commander's own version(), which wants the number before anybody asks for it.
  program.on('option:version', () => {
    throw new VersionRequest(`cfsctl ${packageVersion()}`);
  });
}

/** `cfsctl help oci pull` */
function addHelpVerb(group: CfsctlCommand): void {
  group.helpOption('-h, --help', 'Print help').helpCommand(false);
  for (const child of group.commands) child.helpOption('-h, --help', 'Print help');
  group
    .verb('help', 'Print this message or the help of the given subcommand(s)')
    .argument('[COMMAND...]', 'The subcommand')
    .action((names: readonly string[]) => group.find(names).help());
}
