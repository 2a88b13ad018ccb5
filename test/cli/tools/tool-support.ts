import assert from 'node:assert/strict';
import type { Tool } from '../../../src/cli/tools/run-tool.js';
import { ToolFailure } from '../../../src/cli/tools/tool-failure.js';
import { errorChain } from '../../../src/errors.js';

/** What a tool that must fail prints to standard error. */
export async function failureOf(tool: Tool, ...args: readonly string[]): Promise<string> {
  try {
    await tool(args);
  } catch (error) {
    assert.ok(error instanceof ToolFailure, errorChain(error).join(': '));
    return error.text;
  }
  throw new assert.AssertionError({ message: `${args.join(' ')} succeeded` });
}
