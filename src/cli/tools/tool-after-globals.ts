import { globalOptions } from '../context/options.js';
import { isToolName, type ToolName } from './run-tool.js';

/**
 * `cfsctl [GLOBALS] mkcomposefs ARGS…`: the tool and its arguments, all that follows the name. The global options mean
 * nothing to it. mount.composefs is no such verb (spec 70 A1).
 *
 * @param args without the program's name.
 */
export function toolAfterGlobals(
  args: readonly string[],
): { readonly name: ToolName; readonly args: readonly string[] } | undefined {
  const takesValue = new Map<string, boolean>();
  for (const { long, short, required } of globalOptions()) {
    for (const name of [long, short]) if (name !== undefined) takesValue.set(name, required);
  }
  let next = 0;
  for (let arg = args[next]; arg?.startsWith('-') === true; arg = args[next]) {
    const [name = ''] = arg.split('=', 1);
    const hasValue = takesValue.get(name);
    if (hasValue === undefined) return undefined;
    next += hasValue && name === arg ? 2 : 1;
  }
  const name = args[next];
  if (name === undefined || name === 'mount.composefs' || !isToolName(name)) return undefined;
  return { name, args: args.slice(next + 1) };
}
