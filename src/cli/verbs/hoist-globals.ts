import type { Command, Option } from 'commander';
import { CfsctlOption } from '../context/options.js';
import { CfsctlCommand } from './command.js';

/**
 * Brings the global options that stand behind a verb (`cfsctl oci images --repo R`) to the front, where the program
 * looks for them. An option of the verb itself goes first: `init --erofs-version` is that of `init`.
 *
 * @param args without the program's name.
 * @throws UsageError for one without its value
 */
export function hoistGlobals(program: CfsctlCommand, args: readonly string[]): string[] {
  const hoisted: string[] = [];
  const rest: string[] = [];
  let command: Command = program;
  let next = 0;
  const take = (): string | undefined => args[next++];
  for (let arg = take(); arg !== undefined; arg = take()) {
    if (!arg.startsWith('-') || arg === '-') {
      rest.push(arg);
      const child = command.commands.find((each) => each.name() === arg || each.aliases().includes(arg));
      if (child !== undefined) command = child;
      // What follows is the command line of something else.
      else if (command instanceof CfsctlCommand && command.passesThrough) break;
      continue;
    }
    if (arg === '--') {
      rest.push(arg);
      break;
    }
    const [name = ''] = arg.split('=', 1);
    const own = findOption(command, name);
    const global = own ?? findOption(program, name);
    const isHoisted = own === undefined && global instanceof CfsctlOption;
    if (global === undefined || name !== arg || !takesNext(global)) {
      (isHoisted ? hoisted : rest).push(arg);
      continue;
    }
    const value = take();
    if (!isHoisted) rest.push(arg, ...(value === undefined ? [] : [value]));
    else if (value === undefined || /^-./.test(value)) program.optionMissingArgument(global);
    else hoisted.push(`${name}=${value}`);
  }
  return [...hoisted, ...rest, ...args.slice(next)];
}

function findOption(command: Command, name: string): Option | undefined {
  return command.options.find(({ long, short }) => long === name || short === name);
}

function takesNext(option: Option): boolean {
  return option.required && !(option instanceof CfsctlOption && option.impliedValue !== undefined);
}
