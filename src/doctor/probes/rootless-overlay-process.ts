import { tryRootlessOverlay } from '../probe/overlay-attempt.js';

// Run in a user namespace by the probe.
process.stdout.write(JSON.stringify(tryRootlessOverlay()));
