#!/usr/bin/env node
import { compileLess } from './compile-less.js';
import { requestedTool, runTool } from './tools/run-tool.js';

/** What this program was asked to be; `cfsctl` itself is loaded only if it is nothing else. */
async function main(): Promise<number> {
  compileLess();
  const tool = requestedTool(process.argv);
  if (tool !== undefined) return runTool(tool.name, tool.args);
  const { runCfsctl } = await import('./run.js');
  return runCfsctl(process.argv.slice(2));
}

// Handles that a library leaves open must not keep a finished command alive. Not awaited at the top level: in the
// bundle an entry point may hold what its commands share, and they would wait for it for ever.
void main().then((status) => process.exit(status));
