// Runs the compiled tests, or those whose path contains one of the arguments. Node 20's --test takes files, not globs. Fails
// as well if tests are skipped for other reasons, or more of them, than test/skips.json has.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const wanted = process.argv.slice(2);
const files = readdirSync('dist/test', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.js'))
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  // A test whose source is gone may linger in dist/.
  .filter((file) => existsSync(file.replace(/^dist\//, '').replace(/\.js$/, '.ts')))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`);
  process.exit(1);
}
const folder = mkdtempSync(join(tmpdir(), 'composefs-oci-tests-'));
const ended = join(folder, 'ended');
const options = [
  '--enable-source-maps',
  '--test',
  `--test-concurrency=${availableParallelism()}`,
  `--test-reporter=${process.stdout.isTTY ? 'spec' : 'tap'}`,
  '--test-reporter-destination=stdout',
  `--test-reporter=${fileURLToPath(new URL('skip-reporter.mjs', import.meta.url))}`,
  `--test-reporter-destination=${ended}`,
];
const { status } = spawnSync(process.execPath, [...options, ...files], { stdio: 'inherit' });
const problems = status === 0 ? unexpectedSkips(ended, wanted.length === 0) : [];
rmSync(folder, { recursive: true, force: true });
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : (status ?? 1));

/** What of the tests that did not run is not as test/skips.json has it. */
function unexpectedSkips(path, isWhole) {
  const { leastPassed, reasons } = JSON.parse(readFileSync('test/skips.json', 'utf8'));
  const tests = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  const skipped = tests.filter(({ skip }) => skip !== undefined);
  const passed = tests.length - skipped.length;
  const problems = [];
  if (isWhole && passed < leastPassed) {
    problems.push(`only ${passed} tests have passed, and not ${leastPassed} as test/skips.json has it`);
  }
  const counts = new Map();
  for (const { name, skip } of skipped) {
    const known = reasons.find(({ reason }) => new RegExp(reason).test(skip));
    if (known === undefined) problems.push(`skipped for a reason that is not in test/skips.json: ${name}: ${skip}`);
    else counts.set(known, (counts.get(known) ?? 0) + 1);
  }
  for (const [{ reason, most }, count] of counts) {
    if (count > most)
      problems.push(`${count} tests are skipped as ${reason}, and not ${most} at most (test/skips.json)`);
  }
  return problems;
}
