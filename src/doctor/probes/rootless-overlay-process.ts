import { tryRootlessOverlay } from './rootless-overlay.js';

// Run in a user namespace by the probe.
process.stdout.write(JSON.stringify(tryRootlessOverlay()));
