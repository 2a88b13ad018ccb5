#!/usr/bin/env node
import { composefsErofsDebug } from './tools/composefs-erofs-debug.js';
import { callTool } from './tools/run-tool.js';

void callTool('composefs-erofs-debug', composefsErofsDebug, process.argv.slice(2)).then((status) =>
  process.exit(status),
);
