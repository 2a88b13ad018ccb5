#!/usr/bin/env node
import { composefsDump } from './tools/composefs-dump.js';
import { callTool } from './tools/run-tool.js';

process.exit(await callTool('composefs-dump', composefsDump, process.argv.slice(2)));
