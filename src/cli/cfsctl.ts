#!/usr/bin/env node
import { runCfsctl } from './run.js';

// Handles that a library leaves open must not keep a finished command alive.
process.exit(await runCfsctl(process.argv.slice(2)));
