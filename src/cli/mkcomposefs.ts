#!/usr/bin/env node
import { mkcomposefs } from './tools/mkcomposefs.js';
import { callTool } from './tools/run-tool.js';

process.exit(await callTool('mkcomposefs', mkcomposefs, process.argv.slice(2)));
