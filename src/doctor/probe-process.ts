import { writeSync } from 'node:fs';
import { fullMessage } from '../errors.js';
import { hasSystemCalls } from '../linux/ffi.js';
import { limited, missing, type Outcome } from './probe/finding.js';
import type { Probe, ProbeContext } from './probe/probe.js';
import { PROBES } from './probes/index.js';

/** What this process prints for each probe, as a line of JSON. */
export interface ProbeReport {
  readonly check: string;
  readonly outcome: Outcome;
}

function run(probe: Probe, context: ProbeContext): Outcome {
  if (probe.needsSystemCalls === true && !hasSystemCalls()) return missing('cannot do without system calls, see there');
  try {
    return probe.run(context);
  } catch (error) {
    return limited(`could not be tried: ${fullMessage(error)}`);
  }
}

/** Arguments: the repository, the directory, and the probes to run, in their order. */
const [repository = '', directory = '', ...checks] = process.argv.slice(2);
for (const probe of PROBES) {
  if (!checks.includes(probe.check)) continue;
  const report: ProbeReport = { check: probe.check, outcome: run(probe, { repository, directory }) };
  writeSync(1, `${JSON.stringify(report)}\n`);
}
