#!/usr/bin/env node
import { mountComposefs } from './tools/mount-composefs.js';
import { callTool } from './tools/run-tool.js';

void callTool('mount.composefs', mountComposefs, process.argv.slice(2)).then((status) => process.exit(status));
