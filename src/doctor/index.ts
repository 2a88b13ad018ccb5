export { type InspectOptions, inspectMachine, type MachineReport } from './inspect-machine.js';
export type { Finding, FindingState, Outcome } from './probe/finding.js';
