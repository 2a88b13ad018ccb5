import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Images } from './images.js';
import { type Measurement, measure, median } from './measure.js';
import type { Program } from './programs.js';

/** What the rows of the table have to work with. */
export interface Bench {
  readonly programs: readonly Program[];
  readonly images: Images;
  /** A folder for repositories. */
  readonly work: string;
  readonly runs: number;
}

/** One or more lines of the table, which are measured together. */
export interface Row {
  /** What chooses it on the command line. */
  readonly name: string;
  /** Takes minutes, and is measured only when it is asked for. */
  readonly isLarge?: true;
  readonly measure: (bench: Bench) => Promise<Line[]>;
}

/** A line of the table. */
export interface Line {
  readonly label: string;
  /** Undefined for programs that were not measured. */
  readonly values: ReadonlyMap<Program, Measurement | undefined>;
  readonly target?: string;
  /** Something that stands instead of what was measured. */
  readonly show?: (value: Measurement) => string;
}

/** Runs an action with each program as often as wanted, in turns: what else the machine does falls on all alike. */
export function inTurns(
  { programs, runs }: Pick<Bench, 'programs' | 'runs'>,
  action: (program: Program) => Measurement,
): Map<Program, Measurement> {
  const results = new Map<Program, Measurement[]>(programs.map((program) => [program, []]));
  for (let run = 0; run < runs; run++) {
    for (const [program, measurements] of results) measurements.push(action(program));
  }
  return new Map([...results].map(([program, measurements]) => [program, median(measurements)]));
}

/** Fewer runs for what takes long. */
export function fewRuns(bench: Bench): Bench {
  return { ...bench, runs: Math.min(bench.runs, 3) };
}

/** A new repository, without fs-verity, which hardly any temporary directory has. */
export function freshRepository({ work }: Pick<Bench, 'work'>, program: Program): string {
  const repo = mkdtempSync(join(work, 'repo-'));
  measure([...program.command, '--repo', repo, 'init', '--insecure']);
  return repo;
}

export function pullCommand(program: Program, repo: string, image: string, name = 'image'): string[] {
  return [...program.command, '--insecure', '--repo', repo, 'oci', 'pull', image, name];
}

/** A pull into a repository that is new, and removed afterwards. */
export function measurePull(bench: Bench, program: Program, image: string): Measurement {
  const repo = freshRepository(bench, program);
  try {
    return measure(pullCommand(program, repo, image));
  } finally {
    rmSync(repo, { recursive: true });
  }
}

/** A repository for each program, with one image in it, named `image`; removed after the action. */
export async function withPulled<T>(
  bench: Bench,
  image: string,
  action: (repositories: ReadonlyMap<Program, string>) => Promise<T> | T,
): Promise<T> {
  const repositories = new Map(bench.programs.map((program) => [program, freshRepository(bench, program)]));
  try {
    for (const [program, repo] of repositories) measure(pullCommand(program, repo, image));
    return await action(repositories);
  } finally {
    for (const repo of repositories.values()) rmSync(repo, { recursive: true });
  }
}

/** A command that changes nothing, in the repository of each program. */
export function measureVerb(
  bench: Bench,
  repositories: ReadonlyMap<Program, string>,
  args: readonly string[],
): Map<Program, Measurement> {
  return inTurns(bench, (program) =>
    measure([...program.command, '--insecure', '--repo', repositories.get(program) ?? '', ...args]),
  );
}
