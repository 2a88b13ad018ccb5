import type { CompleteOptions } from '../commands/complete.js';
import type { Context } from '../context/context.js';
import { value } from '../context/options.js';
import { UsageError } from '../context/usage-error.js';
import { CfsctlCommand } from './command.js';

const COMPLETION_EXAMPLES = `
Examples:
  source <(cfsctl completion bash)                 In ~/.bashrc
  source <(cfsctl completion zsh)                  In ~/.zshrc, after compinit
  cfsctl completion fish | source                  In ~/.config/fish/config.fish`;

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** What shells ask for. */
export function addShellVerbs(program: CfsctlCommand, context: () => Context): void {
  program
    .verb('completion', 'Print what a shell needs to complete verbs, options, tags and digests')
    .argument('<SHELL>', 'bash, zsh or fish')
    .addHelpText('after', COMPLETION_EXAMPLES)
    .action(async (name: string) => {
      const shell = SHELLS.find((each) => each === name);
      if (shell === undefined) {
        throw new UsageError(`invalid value '${name}' for '<SHELL>'`, {
          lines: [`[possible values: ${SHELLS.join(', ')}]`],
        });
      }
      await (await import('../commands/completion.js')).completion(context(), shell);
    });

  const asked = new CfsctlCommand('__complete')
    .description('Answer a completion script')
    .copyInheritedSettings(program)
    .argument('[WORD...]', 'The words after the name of the program; the last is completed')
    .passThroughOptions()
    .addOption(value('--line <LINE>', 'The command line up to the cursor instead'))
    .action(async (words: readonly string[], options: CompleteOptions) =>
      (await import('../commands/complete.js')).completeWords(context(), program, words, options),
    );
  program.addCommand(asked, { hidden: true });
}
