import { type Argument, type Command, Help, type Option } from 'commander';
import { CfsctlOption } from '../context/options.js';

const MAX_WIDTH = 100;

/** `cfsctl oci pull [OPTIONS] <IMAGE> [NAME]` */
export function usageLine(command: Command): string {
  const names: string[] = [];
  for (let current: Command | null = command; current !== null; current = current.parent) names.unshift(current.name());
  const hasOptions = command.options.some((option) => !option.hidden);
  return [
    ...names,
    ...(hasOptions ? ['[OPTIONS]'] : []),
    ...(command.commands.length > 0 ? ['<COMMAND>'] : command.registeredArguments.map(argumentTerm)),
  ].join(' ');
}

function argumentTerm(argument: Argument): string {
  const name = argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
  return argument.variadic ? `${name}...` : name;
}

/** Help in the order: what the command is for, usage, subcommands or arguments, options. */
export class CfsctlHelp extends Help {
  override prepareContext(context: Parameters<Help['prepareContext']>[0]): void {
    super.prepareContext({ ...context, helpWidth: Math.min(context.helpWidth ?? MAX_WIDTH, MAX_WIDTH) });
  }

  override subcommandTerm(command: Command): string {
    return command.name();
  }

  override optionTerm(option: Option): string {
    const flags = option instanceof CfsctlOption && option.impliedValue !== undefined ? option.display : option.flags;
    return option.short === undefined ? `    ${flags}` : flags;
  }

  override optionDescription(option: Option): string {
    const notes: string[] = [];
    const standard = option.defaultValueDescription ?? option.defaultValue;
    if (standard !== undefined) notes.push(`[default: ${String(standard)}]`);
    if (option.argChoices !== undefined) notes.push(`[possible values: ${option.argChoices.join(', ')}]`);
    return [option.description, ...notes].join(' ');
  }

  override argumentTerm(argument: Argument): string {
    return argumentTerm(argument);
  }

  override visibleArguments(command: Command): Argument[] {
    return [...command.registeredArguments];
  }

  override formatHelp(command: Command, helper: Help): string {
    const width = helper.helpWidth ?? MAX_WIDTH;
    const items = (title: string, entries: readonly (readonly [string, string])[]): string[] => {
      if (entries.length === 0) return [];
      const termWidth = Math.max(...entries.map(([term]) => term.length));
      const lines = entries.map(([term, text]) => helper.formatItem(term, termWidth, text, helper));
      return [[`${title}:`, ...lines].join('\n')];
    };

    const blocks = [
      helper.boxWrap(helper.commandDescription(command), width),
      `Usage: ${usageLine(command)}`,
      ...items(
        'Commands',
        helper
          .visibleCommands(command)
          .map((child) => [helper.subcommandTerm(child), helper.subcommandDescription(child)]),
      ),
      ...items(
        'Arguments',
        helper.visibleArguments(command).map((argument) => [helper.argumentTerm(argument), argument.description]),
      ),
      ...items(
        'Options',
        helper.visibleOptions(command).map((option) => [helper.optionTerm(option), helper.optionDescription(option)]),
      ),
    ];
    return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
  }
}
