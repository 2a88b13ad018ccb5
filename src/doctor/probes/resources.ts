import { availableParallelism, totalmem } from 'node:os';
import { formatSize } from '../../bytes/format-size.js';
import { limited, ok } from '../probe/finding.js';
import type { Probe } from '../probe/probe.js';

/** What the largest command needs, with room for the system. */
const COMFORTABLE = 512 << 20;

export const resources: Probe = {
  check: 'resources',
  title: 'Memory and processors',
  run() {
    const total = totalmem();
    const constrained = process.constrainedMemory();
    const memory = constrained > 0 && constrained < total ? constrained : total;
    const detail = `${formatSize(memory)}, ${availableParallelism()} processors`;
    return memory >= COMFORTABLE ? ok(detail) : limited(detail, 'commands take up to 400 MiB: add memory or swap');
  },
};
