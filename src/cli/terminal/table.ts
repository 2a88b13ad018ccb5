import { printable } from '../../bytes/printable.js';
import { displayWidth, padDisplay } from './terminal-text.js';

/** Characters of a digest in tables. */
export const SHORT_DIGEST = 12;

/** The box-drawing table of spec 70 A5, left aligned, as wide as the widest cells need: its lines. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const body = rows.map((row) => header.map((_, column) => printable(row[column] ?? '')));
  const widths = header.map((title, column) =>
    Math.max(displayWidth(title), ...body.map((row) => displayWidth(row[column] ?? ''))),
  );
  const line = (cells: readonly string[]): string =>
    `│ ${widths.map((width, column) => padDisplay(cells[column] ?? '', width)).join(' ┆ ')} │`;
  const rule = (left: string, fill: string, cross: string, right: string): string =>
    left + widths.map((width) => fill.repeat(width + 2)).join(cross) + right;

  const lines = [rule('┌', '─', '┬', '┐'), line(header), rule('╞', '═', '╪', '╡')];
  body.forEach((row, index) => {
    if (index > 0) lines.push(rule('├', '╌', '┼', '┤'));
    lines.push(line(row));
  });
  lines.push(rule('└', '─', '┴', '┘'));
  return lines;
}
