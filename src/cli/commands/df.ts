import { STORE_KINDS, type StoreSummary, storeUsage } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { renderTable } from '../terminal/table.js';
import { describeUsage, diskText, sizeText } from '../terminal/usage-fields.js';

export interface DfOptions {
  readonly bytes?: boolean;
  readonly json?: boolean;
}

/** What a whole repository takes on the disk, by what it is for. */
export async function df(context: Context, options: DfOptions): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    const usage = await withDelayedProgress((running) => storeUsage(repo, { threads: 0, ...running }));
    if (options.json) return await context.output.json(describe(usage));
    const exact = options.bytes === true;
    const rows = STORE_KINDS.flatMap((kind) => {
      const { count, bytes } = usage.kinds[kind];
      return count === 0 ? [] : [[kind, String(count), sizeText(bytes, exact), diskText(usage.kinds[kind], exact)]];
    });
    const { total, fileSystem } = usage;
    rows.push(['total', String(total.count), sizeText(total.bytes, exact), diskText(total, exact)]);
    const { available, size } = fileSystem;
    await context.output.lines([
      ...renderTable(['KIND', 'COUNT', 'BYTES', 'ON DISK'], rows),
      '',
      `File system: ${sizeText(available, exact)} of ${sizeText(size, exact)} available`,
    ]);
  });
}

function describe({ kinds, total, fileSystem }: StoreSummary): object {
  return {
    kinds: Object.fromEntries(STORE_KINDS.map((kind) => [kind.replaceAll('-', '_'), describeUsage(kinds[kind])])),
    total: describeUsage(total),
    file_system: fileSystem,
  };
}
