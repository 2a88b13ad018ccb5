import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Finding, limited, type Outcome } from './probe/finding.js';
import type { Probe, ProbeContext } from './probe/probe.js';
import { PROBES } from './probes/index.js';

/** What a machine can do. */
export interface MachineReport {
  /** Nothing is missing without which no image can be stored or read. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

/** How the machine is inspected. */
export interface InspectOptions {
  /** Milliseconds that one probe may take. Default 5000. */
  readonly probeTimeout?: number;
  readonly signal?: AbortSignal | undefined;
  /** For tests: what runs the probes. */
  readonly probeProcess?: string;
}

const PROBE_TIMEOUT_MS = 5000;
const PROBE_PROCESS = fileURLToPath(new URL('./probe-process.js', import.meta.url));

/**
 * Tries what composefs needs of the kernel, the file system of a repository and other programs. Never fails, needs no
 * privileges and leaves nothing behind: the probes run in a process of their own, so that one that hangs or crashes
 * becomes a finding like any other.
 *
 * @param repository where the repository is or would be.
 */
export async function inspectMachine(repository: string, options: InspectOptions = {}): Promise<MachineReport> {
  const path = resolve(repository);
  const context: ProbeContext = { repository: path, directory: nearestDirectory(path) };
  const outcomes = new Map<string, Outcome>();
  for (let rest = PROBES; rest.length > 0; rest = PROBES.filter((probe) => !outcomes.has(probe.check))) {
    options.signal?.throwIfAborted();
    await runProbes(rest, context, outcomes, options);
  }
  const findings = PROBES.map((probe) => ({
    check: probe.check,
    title: probe.title,
    necessary: probe.necessary ?? false,
    ...(outcomes.get(probe.check) ?? limited('not tried')),
  }));
  return { ok: findings.every(({ necessary, state }) => !necessary || state !== 'missing'), findings };
}

/** Runs probes one after the other until all are done or one fails to answer; at least one outcome is added. */
async function runProbes(
  probes: readonly Probe[],
  { repository, directory }: ProbeContext,
  outcomes: Map<string, Outcome>,
  { probeTimeout = PROBE_TIMEOUT_MS, probeProcess = PROBE_PROCESS, signal }: InspectOptions,
): Promise<void> {
  const args = [probeProcess, repository, directory, ...probes.map((probe) => probe.check)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const end = endOf(child);
  const lines = createInterface({ input: child.stdout });
  let timedOut = false;
  const stop = (): void => {
    child.kill('SIGKILL');
    // One that hangs in the kernel does not even die: nobody waits for it.
    lines.close();
    child.stdout.destroy();
    child.unref();
  };
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, probeTimeout);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    for await (const line of lines) {
      const report = parseReport(line);
      if (report === undefined) continue;
      outcomes.set(report.check, report.outcome);
      timer.refresh();
    }
  } catch {
    // The pipe broke: what is not there by now counts as not answered.
  }
  clearTimeout(timer);
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  const failed = probes.find((probe) => !outcomes.has(probe.check));
  if (failed === undefined) return;
  const reason = timedOut ? `gave no answer within ${probeTimeout / 1000} s` : `the probe ended early (${await end})`;
  outcomes.set(failed.check, limited(reason));
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (status, signal) => resolve(signal ?? `status ${status}`));
  });
}

function parseReport(line: string): { check: string; outcome: Outcome } | undefined {
  try {
    const { check, outcome }: { check?: unknown; outcome?: unknown } = JSON.parse(line);
    if (typeof check !== 'string' || typeof outcome !== 'object' || outcome === null) return undefined;
    if (!('state' in outcome) || !('detail' in outcome)) return undefined;
    const { state, detail } = outcome;
    if ((state !== 'ok' && state !== 'limited' && state !== 'missing') || typeof detail !== 'string') return undefined;
    const remedy = 'remedy' in outcome && typeof outcome.remedy === 'string' ? outcome.remedy : undefined;
    return { check, outcome: { state, detail, remedy } };
  } catch {
    return undefined;
  }
}

function nearestDirectory(path: string): string {
  let current = path;
  while (!existsSync(current) && dirname(current) !== current) current = dirname(current);
  return current;
}
