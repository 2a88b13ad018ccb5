#!/usr/bin/env node
import { composefsDump } from './tools/composefs-dump.js';
import { callTool } from './tools/run-tool.js';

void callTool('composefs-dump', composefsDump, process.argv.slice(2)).then((status) => process.exit(status));
