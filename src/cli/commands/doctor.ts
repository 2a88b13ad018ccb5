import { type Finding, type FindingState, inspectMachine } from '../../index.js';
import type { Context } from '../context/context.js';
import { ExitStatus } from '../context/exit-status.js';
import { repositoryPath } from '../context/open-repository.js';
import { displayWidth, padDisplay } from '../terminal/terminal-text.js';

export interface DoctorOptions {
  readonly json?: boolean;
}

const MARKS: Readonly<Record<FindingState, string>> = { ok: '✓ ok', limited: '! limited', missing: '✗ missing' };

export async function doctor(context: Context, options: DoctorOptions): Promise<void> {
  const { ok, findings } = await inspectMachine(repositoryPath(context.globals));
  if (options.json === true) await context.output.json({ ok, checks: findings.map(toWire) });
  else await context.output.lines(render(findings));
  if (!ok) throw new ExitStatus(1);
}

/** The documented shape; `remedy` is null where there is nothing to do. */
function toWire({ check, title, state, necessary, detail, remedy }: Finding): object {
  return { check, title, state, necessary, detail, remedy: remedy ?? null };
}

/** One line for each, and the remedy below it: a table would be too wide for a terminal. */
function render(findings: readonly Finding[]): string[] {
  const width = Math.max(...findings.map(({ title }) => displayWidth(title)));
  const markWidth = Math.max(...Object.values(MARKS).map(displayWidth));
  const indent = ' '.repeat(markWidth + width + 4);
  return findings.flatMap(({ title, state, detail, remedy }) => [
    `${padDisplay(MARKS[state], markWidth)}  ${padDisplay(title, width)}  ${detail}`,
    ...(remedy === undefined || state === 'ok' ? [] : [`${indent}→ ${remedy}`]),
  ]);
}
