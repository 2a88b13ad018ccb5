/** How often a property is tried: `runs`, or what `COMPOSEFS_TEST_FUZZ` says. */
export function fuzzRuns(runs: number): number {
  const { COMPOSEFS_TEST_FUZZ } = process.env;
  return COMPOSEFS_TEST_FUZZ === undefined ? runs : Number(COMPOSEFS_TEST_FUZZ);
}
