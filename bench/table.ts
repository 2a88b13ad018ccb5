import type { Line } from './bench.js';
import type { Measurement } from './measure.js';
import type { Program } from './programs.js';

/** Rows of cells as a table in Markdown whose columns stand below each other; the first row is the head. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, column) => Math.max(4, ...rows.map((row) => row[column]?.length ?? 0)));
  const text = (row: readonly string[]): string =>
    `| ${widths.map((width, n) => (n === 0 ? (row[n] ?? '').padEnd(width) : (row[n] ?? '').padStart(width))).join(' | ')} |`;
  const rule = `|${widths.map((width, n) => (n === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [text(head), rule, ...body.map(text)].join('\n');
}

/** The table of `npm run bench`: what each program took, and how many times as much as the reference ours did. */
export function benchTable(programs: readonly Program[], lines: readonly Line[]): string {
  const reference = programs.find(({ isReference }) => isReference);
  const ours = programs.filter(({ isReference }) => !isReference);
  const head = ['', ...ours.flatMap(({ name }) => [name, '×']), 'reference', 'target'];
  const rows = lines.map(({ label, values, target = '', show = cell }) => {
    const theirs = reference && values.get(reference);
    const cells = ours.flatMap((program) => {
      const value = values.get(program);
      return [value === undefined ? '–' : show(value), ratio(value, theirs)];
    });
    return [label, ...cells, theirs === undefined ? '–' : show(theirs), target];
  });
  return markdownTable([head, ...rows]);
}

/** Wall seconds / CPU seconds / peak MiB. */
export function cell({ wall, cpu, peakMiB }: Measurement): string {
  return `${seconds(wall)} / ${seconds(cpu)} / ${peakMiB.toFixed(0)}`;
}

function seconds(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}

function ratio(ours: Measurement | undefined, theirs: Measurement | undefined): string {
  if (ours === undefined || theirs === undefined) return '–';
  return `${(ours.wall / theirs.wall).toFixed(2)} / ${(ours.cpu / theirs.cpu).toFixed(2)}`;
}
