#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { packageVersion } from './context/package-version.js';
import { composefsSetupRoot } from './tools/setup-root.js';

// Mounts need a directory for a moment, and an initramfs may have no /tmp.
if (process.env['TMPDIR'] === undefined && !existsSync('/tmp')) process.env['TMPDIR'] = '/run';

void composefsSetupRoot(process.argv.slice(2), packageVersion).then((status) => process.exit(status));
