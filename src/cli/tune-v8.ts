import { setFlagsFromString } from 'node:v8';

/** Without the compiler that takes longest. */
const BATTERY_SAVER = '--battery-saver-mode';
const NO_BATTERY_SAVER = '--no-battery-saver-mode';

/** Lets the young generation grow no more: the flag is a factor. */
const NO_GROWTH = '--semi-space-growth-factor=1';

/**
 * The Zstandard encoder that Node 20 needs is WebAssembly, of which V8 optimizes each function that has run for a while: that
 * takes longer than the short streams of a small image, and pays for those of a million files.
 */
const PATIENT_WASM = '--wasm-tiering-budget=100000000';

/** Flags for one release of V8, and others for commands that run on after so many milliseconds. */
export interface Tuning {
  readonly flags: readonly string[];
  readonly later?: { readonly ms: number; readonly flags: readonly string[] };
}

/** Most commands have ended by then. What runs on, for a million files, takes a third less when it is optimized. */
const SAVE_BATTERY: Tuning = { flags: [BATTERY_SAVER, NO_GROWTH], later: { ms: 2500, flags: [NO_BATTERY_SAVER] } };

/**
 * What makes V8 optimize later and the young generation stay small, by its release: its flags have no fixed meaning, and it
 * prints an error for one that it does not know. So these are for releases that were measured.
 */
const TUNINGS: readonly (readonly [release: string, tuning: Tuning])[] = [
  [
    '11.3.', // Node 20
    {
      flags: ['--interrupt-budget=2000000', PATIENT_WASM, NO_GROWTH],
      later: { ms: 400, flags: ['--interrupt-budget=400000'] },
    },
  ],
  ['12.4.', { flags: ['--invocation-count-for-turbofan=15000', NO_GROWTH] }], // Node 22
  ['13.6.', SAVE_BATTERY], // Node 24
  ['14.6.', SAVE_BATTERY], // Node 26
];

/** The flags for a release of V8, as in `process.versions.v8`; none for one that was not measured. */
export function v8Tuning(release: string): Tuning {
  return TUNINGS.find(([start]) => release.startsWith(start))?.[1] ?? { flags: [] };
}

/**
 * Has V8 optimize only what runs for long, and collect garbage early, in all threads.
 *
 * A command ends after tenths of a second: much of what V8 would optimize meanwhile takes more processor time than it saves. A
 * pull of python:zstd takes 7 % less with Node 24, one of debian:plain 12 % less with Node 20; `oci compute-id` 25 and 15 %.
 * And what a command allocates it soon drops: a young generation that grows, to 128 MiB with Node 24, is memory that is
 * touched and saves no time. A pull of 100,000 small files takes 80 MiB less with Node 24, 25 with Node 20
 * (docs/performance.md).
 */
export function tuneV8(): void {
  const { flags, later } = v8Tuning(process.versions.v8);
  for (const flag of flags) setFlagsFromString(flag);
  if (later === undefined) return;
  setTimeout(() => {
    for (const flag of later.flags) setFlagsFromString(flag);
  }, later.ms).unref();
}
