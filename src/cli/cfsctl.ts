#!/usr/bin/env node
import { requestedTool, runTool } from './tools/run-tool.js';
import { tuneV8 } from './tune-v8.js';

/** What this program was asked to be; `cfsctl` itself is loaded only if it is nothing else. */
async function main(): Promise<number> {
  tuneV8();
  const tool = requestedTool(process.argv);
  if (tool !== undefined) return runTool(tool.name, tool.args);
  const { runCfsctl } = await import('./run.js');
  return runCfsctl(process.argv.slice(2));
}

// Handles that a library leaves open must not keep a finished command alive. Not awaited at the top level: in the
// bundle an entry point may hold what its commands share, and they would wait for it for ever.
void main().then((status) => process.exit(status));
