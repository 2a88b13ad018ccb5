import { findReasons, objectPathname, type Reason, type ReasonStep } from '../../composefs/index.js';
import { findKept, type KeptThing, tagOfRef } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { withDelayedProgress } from '../progress/delayed.js';

export interface WhyOptions {
  readonly json?: boolean;
}

/** Which references keep an object, stream or image alive, each with the shortest way from it. */
export async function why(context: Context, text: string, options: WhyOptions): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    const thing = await findKept(repo, text);
    const reasons = await withDelayedProgress((running) => findReasons(repo, thing.id, { threads: 0, ...running }));
    if (options.json) return await context.output.json(describe(thing, reasons));
    await context.output.lines(lines(thing, reasons));
  });
}

function* lines({ kind, name }: KeptThing, reasons: readonly Reason[]): Generator<string> {
  if (reasons.length === 0) {
    yield `Nothing keeps the ${kind} ${name}: the next gc removes it`;
    return;
  }
  const count = reasons.reduce((sum, { refs }) => sum + refs.length, 0);
  yield `The ${kind} ${name} is kept by ${count} ${count === 1 ? 'reference' : 'references'}`;
  for (const { category, name: entry, refs, steps } of reasons) {
    yield '';
    for (const ref of refs) yield refText(ref);
    yield `  -> ${category}/${entry}`;
    for (const step of steps) yield `  -> ${stepText(step)}`;
  }
}

function refText(ref: string): string {
  const tag = tagOfRef(ref);
  return tag === undefined ? ref : `${ref} (tag ${tag})`;
}

function stepText({ key, id, stream }: ReasonStep): string {
  const place = stream === undefined ? `objects/${objectPathname(id)}` : `streams/${stream}`;
  // Keys of layers and configs say what the name says.
  return key === undefined || (stream?.endsWith(key.slice(key.indexOf(':') + 1)) ?? false)
    ? place
    : `${place} (${key})`;
}

function describe({ kind, name, id }: KeptThing, reasons: readonly Reason[]): object {
  return {
    kind,
    name,
    id,
    kept: reasons.length > 0,
    reasons: reasons.map(({ category, name: entry, refs, steps }) => ({
      refs,
      tags: refs.flatMap((ref) => tagOfRef(ref) ?? []),
      entry: `${category}/${entry}`,
      steps: steps.map((step) => ({
        ...(step.key !== undefined && { key: step.key }),
        ...(step.stream !== undefined && { stream: step.stream }),
        object: step.id,
      })),
    })),
  };
}
