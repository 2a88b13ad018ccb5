import { setFlagsFromString } from 'node:v8';

/**
 * What makes V8 optimize later, by its release: its flags have no fixed meaning, and it prints an error for one that it
 * does not know. So these are for releases that were measured.
 */
const FLAGS: readonly (readonly [release: string, flag: string])[] = [
  ['11.3.', '--interrupt-budget=400000'], // Node 20
  ['12.4.', '--invocation-count-for-turbofan=15000'], // Node 22
  ['13.6.', '--battery-saver-mode'], // Node 24
  ['14.6.', '--battery-saver-mode'], // Node 26
];

/** The flag for a release of V8, as in `process.versions.v8`; undefined for one that was not measured. */
export function lateOptimizationFlag(release: string): string | undefined {
  return FLAGS.find(([start]) => release.startsWith(start))?.[1];
}

/**
 * Has V8 optimize only what runs for long, in all threads. A command ends after tenths of a second: much of what V8 would
 * optimize meanwhile takes more processor time than it saves. A pull of python:zstd takes 7 % less with Node 24, one of debian:plain 12 %
 * less with Node 20; `oci compute-id` 25 and 15 % (docs/performance.md).
 */
export function compileLess(): void {
  const flag = lateOptimizationFlag(process.versions.v8);
  if (flag !== undefined) setFlagsFromString(flag);
}
