import { type HashAlgorithm, parseObjectId, type ReadableRepository } from '../../composefs/index.js';
import { ComposefsError, withContext } from '../../errors.js';
import { type BootCheck, checkBoot, describeExplanation, findImage, type LayerRules } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { checkReference } from './oci-reference.js';

export interface BootCheckOptions {
  readonly expectedDigest?: string;
  readonly json?: boolean;
  readonly layerRules?: LayerRules;
}

/** Like fsck: fails if the image cannot boot, unless JSON says so. */
export async function bootCheck(context: Context, name: string, options: BootCheckOptions): Promise<void> {
  checkReference('<IMAGE>', name);
  await withRepository(context, async (repo) => {
    const { expectedDigest, layerRules } = options;
    const expected =
      expectedDigest === undefined
        ? undefined
        : withContext('Parsing --expected-digest', () =>
            parseObjectId(algorithmOf(repo, expectedDigest), expectedDigest),
          );
    const image = await findImage(repo, name);
    const check = await withDelayedProgress((running) => checkBoot(repo, image, { expected, layerRules, ...running }));
    const layerCount = image.layerDiffIds().length;
    if (options.json) return await context.output.json(jsonResult(check, layerCount));
    await context.output.lines(renderCheck(check, layerCount));
    if (check.problems.length > 0) throw new ComposefsError('CANNOT_BOOT', 'a machine cannot boot from the image');
  });
}

/** That of either algorithm can be explained. */
function algorithmOf({ algorithm }: ReadableRepository, hex: string): HashAlgorithm {
  if (hex.length === 64) return 'sha256';
  return hex.length === 128 ? 'sha512' : algorithm;
}

function renderCheck(check: BootCheck, layerCount: number): string[] {
  const { problems, entry, entries, image, isLinked, argument, mismatch } = check;
  const others = entries.length > 1 ? ` (the first of ${entries.length} entries)` : '';
  const lines = [
    ...(entry === undefined ? [] : [`boots    ${entry}${others}`]),
    ...(image === undefined ? [] : [`image    ${image} (${isLinked ? 'linked' : 'not made yet'})`]),
    ...(argument === undefined ? [] : [`argument ${argument}`]),
  ];
  for (const { message, hint } of problems) {
    lines.push(`problem: ${message}`);
    if (hint !== undefined) lines.push(`  hint: ${hint}`);
  }
  if (mismatch !== undefined) {
    lines.push('what differs:', ...explain(check, layerCount).map((line) => `  ${line}`));
  }
  const count = problems.length;
  const status = count === 0 ? 'status: can boot' : `status: ${count} problem${count === 1 ? '' : 's'}`;
  return [...lines, status];
}

function explain({ mismatch, version }: BootCheck, layerCount: number): string[] {
  return mismatch === undefined ? [] : describeExplanation(mismatch.explanation, { version, layerCount });
}

function jsonResult(check: BootCheck, layerCount: number): unknown {
  const { problems, entries, entry, image, isLinked, argument, mismatch } = check;
  return {
    can_boot: problems.length === 0,
    problems: problems.map(({ code, message, hint }) => ({ code, message, hint: hint ?? null })),
    entry: entry ?? null,
    entries,
    image: image ?? null,
    is_linked: isLinked,
    argument: argument ?? null,
    ...(mismatch !== undefined && {
      expected: mismatch.expected,
      what_differs: explain(check, layerCount),
    }),
  };
}
