#!/usr/bin/env node
import { mkcomposefs } from './tools/mkcomposefs.js';
import { callTool } from './tools/run-tool.js';

void callTool('mkcomposefs', mkcomposefs, process.argv.slice(2)).then((status) => process.exit(status));
