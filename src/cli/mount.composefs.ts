#!/usr/bin/env node
import { mountComposefs } from './tools/mount-composefs.js';
import { callTool } from './tools/run-tool.js';

process.exit(await callTool('mount.composefs', mountComposefs, process.argv.slice(2)));
