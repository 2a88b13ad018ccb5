import { fsckReport, fsckResultToWire } from '../../composefs/index.js';
import { ComposefsError } from '../../errors.js';
import { formatOciFsckError, isOciFsckOk, ociFsck as ociFsckAll, ociFsckImage } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { repairHint } from './repair-hint.js';

export interface OciFsckOptions {
  readonly json?: boolean;
}

export async function ociFsck(context: Context, image: string | undefined, options: OciFsckOptions): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    const result = await withDelayedProgress((running) =>
      image === undefined
        ? ociFsckAll(repo, { ...running, ownThread: true })
        : ociFsckImage(repo, image, { ...running, ownThread: true }),
    );
    const ok = isOciFsckOk(result);
    const errors = result.errors.map(formatOciFsckError);
    const { imagesChecked, imagesCorrupted, repoResult } = result;
    if (options.json) {
      const counts = { images_checked: imagesChecked, images_corrupted: imagesCorrupted };
      return await context.output.json({ ok, ...counts, errors, repo: fsckResultToWire(repoResult) });
    }
    const lines = [`oci images: ${imagesChecked - imagesCorrupted}/${imagesChecked} ok`];
    if (errors.length > 0) lines.push(`oci errors: ${errors.length}`, ...errors.map((error) => `  - ${error}`));
    await context.output.lines([...fsckReport(repoResult), ...lines]);
    if (!ok) throw new ComposefsError('FSCK_FAILED', 'OCI integrity check failed', repairHint(repoResult));
  });
}
