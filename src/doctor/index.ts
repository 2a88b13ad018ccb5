export type { Finding, FindingState, Outcome } from './finding.js';
export { type InspectOptions, inspectMachine, type MachineReport } from './inspect-machine.js';
