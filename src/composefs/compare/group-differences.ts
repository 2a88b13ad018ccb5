import { type ByteString, byteStringToText } from '../../bytes/byte-string.js';
import type { Difference, EntryState } from './difference.js';

/** Differences of one kind, that one reason explains. */
export interface DifferenceGroup {
  /** What happened: `owner 0:0 -> 1000:1000`, `time without nanoseconds`, `added`. */
  readonly what: string;
  /** Entries; of what was added or removed with all that is below it, that too. */
  readonly count: number;
  /** Some of the paths, in their order; of a whole directory its own. */
  readonly examples: readonly ByteString[];
}

/** How many paths a group shows. */
const EXAMPLES_MAX = 3;

type Changed = Extract<Difference, { readonly aspects: readonly unknown[] }>;

/**
 * The smallest list that explains some differences: what was done to many entries alike is one item, and a directory that
 * was added or removed stands for what is in it. The largest groups come first.
 */
export function groupDifferences(differences: readonly Difference[]): DifferenceGroup[] {
  const groups = new Groups();
  const changed: Changed[] = [];
  let top: Difference | undefined;
  for (const difference of differences) {
    if (difference.kind === 'changed' || difference.kind === 'renamed') {
      changed.push(difference);
      continue;
    }
    const isBelow = top?.kind === difference.kind && difference.path.startsWith(`${top.path}/`);
    if (!isBelow) top = difference;
    groups.add(`${difference.kind} ${byteStringToText(top?.path ?? difference.path)}`, top?.path ?? difference.path);
  }
  for (const difference of changed) for (const what of changesOf(difference)) groups.add(what, difference.path);
  groupTimes(
    changed.filter(({ aspects }) => aspects.includes('time')),
    groups,
  );
  return groups.sorted();
}

class Groups {
  readonly #groups = new Map<string, { count: number; readonly examples: ByteString[] }>();

  add(what: string, path: ByteString): void {
    const group = this.#groups.get(what);
    if (group === undefined) {
      this.#groups.set(what, { count: 1, examples: [path] });
      return;
    }
    group.count += 1;
    if (group.examples.length < EXAMPLES_MAX && !group.examples.includes(path)) group.examples.push(path);
  }

  sorted(): DifferenceGroup[] {
    const groups = [...this.#groups].map(([what, { count, examples }]) => ({ what, count, examples }));
    return groups.sort((a, b) => b.count - a.count);
  }
}

/** All but the time. */
function* changesOf({ kind, aspects, before, after, ...rest }: Changed): Generator<string> {
  if (kind === 'renamed' && 'from' in rest) yield `renamed from ${byteStringToText(rest.from)}`;
  for (const aspect of aspects) {
    switch (aspect) {
      case 'mode':
        yield modeChange(before.stat.mode, after.stat.mode);
        break;
      case 'owner':
        yield `owner ${before.stat.uid}:${before.stat.gid} -> ${after.stat.uid}:${after.stat.gid}`;
        break;
      case 'xattrs':
        yield* xattrChanges(before, after);
        break;
      case 'type':
        yield `type ${before.type} -> ${after.type}`;
        break;
      case 'time':
        break;
      default:
        yield aspect;
    }
  }
}

/** Bits that went and came, if it is one of the two; else both modes. */
function modeChange(before: number, after: number): string {
  const [gone, come] = [before & ~after, after & ~before];
  if (come === 0) return `mode without ${octal(gone)}`;
  return gone === 0 ? `mode with ${octal(come)}` : `mode ${octal(before)} -> ${octal(after)}`;
}

function octal(bits: number): string {
  return `0${bits.toString(8).padStart(3, '0')}`;
}

function* xattrChanges(
  { stat: { xattrs: before } }: EntryState,
  { stat: { xattrs: after } }: EntryState,
): Generator<string> {
  for (const [name, value] of before) {
    const text = byteStringToText(name);
    if (!after.has(name)) yield `xattr ${text} removed`;
    else if (after.get(name) !== value) yield `xattr ${text} changed`;
  }
  for (const name of after.keys()) if (!before.has(name)) yield `xattr ${byteStringToText(name)} added`;
}

/**
 * Times that lost their nanoseconds, that are all the same, or all shifted by as much, are one item each. What explains
 * most is taken first.
 */
function groupTimes(differences: readonly Changed[], groups: Groups): void {
  let rest = new Set(differences);
  while (rest.size > 0) {
    const reasons = new Map<string, Changed[]>();
    for (const difference of rest) {
      for (const reason of timeReasons(difference)) {
        const all = reasons.get(reason);
        if (all === undefined) reasons.set(reason, [difference]);
        else all.push(difference);
      }
    }
    let best: readonly [string, readonly Changed[]] | undefined;
    for (const entry of reasons) if (best === undefined || entry[1].length > best[1].length) best = entry;
    // What only some have in common is no reason.
    if (best === undefined || best[1].length < 3) break;
    for (const { path } of best[1]) groups.add(best[0], path);
    const explained = new Set(best[1]);
    rest = new Set([...rest].filter((difference) => !explained.has(difference)));
  }
  for (const { path } of rest) groups.add('time', path);
}

function timeReasons({ before: { stat: a }, after: { stat: b } }: Changed): string[] {
  if (a.mtimeSec === b.mtimeSec) {
    if (b.mtimeNsec === 0) return ['time without nanoseconds'];
    if (a.mtimeNsec === 0) return ['time with nanoseconds'];
    return [];
  }
  const reasons = [`time -> ${b.mtimeSec}.${String(b.mtimeNsec).padStart(9, '0')}`];
  if (a.mtimeNsec === b.mtimeNsec) {
    const shift = b.mtimeSec - a.mtimeSec;
    reasons.push(`time shifted by ${shift} s`);
  }
  return reasons;
}
