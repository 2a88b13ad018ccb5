#!/usr/bin/env node
import { composefsInfo } from './tools/composefs-info.js';
import { callTool } from './tools/run-tool.js';

void callTool('composefs-info', composefsInfo, process.argv.slice(2)).then((status) => process.exit(status));
