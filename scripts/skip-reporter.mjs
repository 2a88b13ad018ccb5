// A reporter of node:test for scripts/run-tests.mjs: one line of JSON for each test that passed or was skipped.
export default async function* skipReporter(events) {
  for await (const { type, data } of events) {
    // A file is a test of its own to the runner, and a suite that runs is no test. One that is skipped counts as one.
    if (type !== 'test:pass' || /\.test\.js$/.test(data.name)) continue;
    if (data.details?.type === 'suite' && data.skip === undefined) continue;
    const { name, skip } = data;
    yield `${JSON.stringify({ name, ...(skip !== undefined && { skip: skip === true ? '' : String(skip) }) })}\n`;
  }
}
