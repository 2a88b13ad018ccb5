import { formatSize } from '../../bytes/format-size.js';
import { printable } from '../../bytes/printable.js';
import { findImage, type HistoryStep, type ImageHistory, imageHistory } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { renderTable, SHORT_DIGEST } from '../terminal/table.js';
import { truncateDisplay } from '../terminal/terminal-text.js';

export interface OciHistoryOptions {
  readonly noTrunc?: boolean;
  readonly json?: boolean;
}

const COMMAND_WIDTH = 60;

/** How an image was made: its layers, newest first, with what each hides of those below. */
export async function ociHistory(context: Context, name: string, options: OciHistoryOptions): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    const image = await findImage(repo, name);
    const history = await withDelayedProgress((running) => imageHistory(repo, image, running));
    if (options.json) return await context.output.json(describe(history));
    const rows = history.steps.map((step) => row(step, options.noTrunc === true)).reverse();
    await context.output.lines([
      ...renderTable(['LAYER', 'SIZE', 'FILES', 'HIDES', 'CREATED', 'CREATED BY'], rows),
      '',
      summary(history),
    ]);
  });
}

function row({ layer, created, created_by }: HistoryStep, isWhole: boolean): string[] {
  const command = printable(created_by ?? '');
  const of = layer?.diffId ?? '';
  return [
    isWhole ? of : of.slice(of.indexOf(':') + 1).slice(0, SHORT_DIGEST),
    layer === undefined ? '' : formatSize(layer.size),
    layer === undefined ? '' : String(layer.entries),
    layer === undefined || layer.hides.files === 0 ? '' : `${formatSize(layer.hides.bytes)} in ${layer.hides.files}`,
    (created ?? '').slice(0, isWhole ? undefined : 'YYYY-MM-DD'.length),
    isWhole ? command : truncateDisplay(command, COMMAND_WIDTH),
  ];
}

function summary({ steps, size, hidden, wasted }: ImageHistory): string {
  const layers = steps.filter(({ layer }) => layer !== undefined).length;
  const whole = `${counted(layers, 'layer')}, ${formatSize(size)}`;
  if (hidden.files === 0) return `${whole}; no layer hides files of another`;
  const percent = ((100 * hidden.bytes) / size).toFixed(1);
  const unseen = `${formatSize(hidden.bytes)} (${percent} %) in ${counted(hidden.files, 'file')} hidden by later layers`;
  return `${whole}; ${unseen}, ${formatSize(wasted.bytes)} in ${counted(wasted.files, 'object')} stored for that alone`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function describe({ steps, size, hidden, wasted }: ImageHistory): object {
  return {
    steps: steps.map(({ layer, ...entry }) => ({
      ...entry,
      ...(layer !== undefined && {
        layer: {
          diff_id: layer.diffId,
          size: layer.size,
          ...(layer.compressedSize !== undefined && { compressed_size: layer.compressedSize }),
          entries: layer.entries,
          hides: layer.hides,
        },
      }),
    })),
    size,
    hidden,
    wasted,
  };
}
