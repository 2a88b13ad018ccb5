import { isUtf8 } from 'node:buffer';
import { type ByteString, byteStringToBuffer, byteStringToText } from '../../bytes/byte-string.js';
import { formatSize } from '../../bytes/format-size.js';
import type { Aspect, Difference, DifferenceSummary, EntryState, Xattrs } from '../../composefs/index.js';
import { deviceText } from './file-lines.js';

/**
 * A line for people: a letter (A added, D removed, C changed, R renamed) and the path, with a slash after that of a
 * directory; then what differs.
 */
export function differenceLine(difference: Difference): string {
  switch (difference.kind) {
    case 'added':
      return `A ${shownPath(difference.path, difference.after)}`;
    case 'removed':
      return `D ${shownPath(difference.path, difference.before)}`;
    case 'changed':
      return `C ${shownPath(difference.path, difference.after)} (${details(difference)})`;
    case 'renamed': {
      const names = `R ${byteStringToText(difference.from)} -> ${byteStringToText(difference.path)}`;
      return difference.aspects.length === 0 ? names : `${names} (${details(difference)})`;
    }
  }
}

/** `2 added (1.20 MiB), 3 changed (content 2, mode 1)`, or `no differences`. */
export function summaryLine({ kinds, aspects, addedBytes, removedBytes }: DifferenceSummary): string {
  const parts: string[] = [];
  if (kinds.added > 0) parts.push(`${kinds.added} added`);
  if (kinds.removed > 0) parts.push(`${kinds.removed} removed`);
  if (kinds.renamed > 0) parts.push(`${kinds.renamed} renamed`);
  const list = Object.entries(aspects).map(([aspect, count]) => `${aspect} ${count}`);
  if (kinds.changed > 0) parts.push(`${kinds.changed} changed`);
  if (parts.length === 0) return 'no differences';
  const what = list.length === 0 ? '' : ` (${list.join(', ')})`;
  return `${parts.join(', ')}${what}; ${formatSize(addedBytes)} more, ${formatSize(removedBytes)} less`;
}

/** What `--json` prints of a difference. */
export function describeDifference(difference: Difference): Record<string, unknown> {
  const from = difference.kind === 'renamed' ? pathFields('from', difference.from) : {};
  return {
    kind: difference.kind,
    ...pathFields('path', difference.path),
    ...from,
    ...('aspects' in difference && { aspects: difference.aspects }),
    ...('before' in difference && { before: describeState(difference.before) }),
    ...('after' in difference && { after: describeState(difference.after) }),
  };
}

/** What `--json` prints of a summary. */
export function describeSummary({ kinds, aspects, addedBytes, removedBytes }: DifferenceSummary): object {
  return { ...kinds, aspects, added_bytes: addedBytes, removed_bytes: removedBytes };
}

function shownPath(path: ByteString, { type }: EntryState): string {
  const text = byteStringToText(path);
  return type === 'directory' && path !== '/' ? `${text}/` : text;
}

type Two = { readonly aspects: readonly Aspect[]; readonly before: EntryState; readonly after: EntryState };

function details({ aspects, before, after }: Two): string {
  return aspects.map((aspect) => detail(aspect, before, after)).join(', ');
}

function detail(aspect: Aspect, before: EntryState, after: EntryState): string {
  const change = (of: (state: EntryState) => string): string => `${aspect} ${of(before)} -> ${of(after)}`;
  switch (aspect) {
    case 'type':
      return change(typeName);
    case 'content':
      return before.size === after.size ? 'content' : change(({ size }) => formatSize(size));
    case 'target':
      return change(({ target }) => JSON.stringify(byteStringToText(target ?? ('' as ByteString))));
    case 'device':
      return change(({ rdev }) => deviceText(rdev));
    case 'links':
      return 'links';
    case 'mode':
      return change(octal);
    case 'owner':
      return change(({ stat: { uid, gid } }) => `${uid}:${gid}`);
    case 'time':
      return change(shownTime);
    case 'xattrs':
      return `xattrs ${xattrChanges(before.stat.xattrs, after.stat.xattrs).join(' ')}`;
  }
}

/** `+name` for one that came, `-name` for one that went, `name` for one that changed. */
function xattrChanges(before: Xattrs, after: Xattrs): string[] {
  const changes: string[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(name), after.get(name)];
    if (old === now) continue;
    changes.push(`${old === undefined ? '+' : now === undefined ? '-' : ''}${byteStringToText(name)}`);
  }
  return changes.sort();
}

function describeState(state: EntryState): Record<string, unknown> {
  const { type, size, rdev, target, object, stat } = state;
  const xattrs = [...stat.xattrs].map(([name, value]) => [
    byteStringToText(name),
    byteStringToBuffer(value).toString('base64'),
  ]);
  return {
    type: typeName(state),
    mode: octal(state),
    uid: stat.uid,
    gid: stat.gid,
    mtime: time(state),
    ...(type === 'regular' && { size }),
    ...(type.endsWith('-device') && { rdev }),
    ...(target !== undefined && pathFields('target', target)),
    ...(object !== undefined && { object }),
    ...(xattrs.length > 0 && { xattrs: Object.fromEntries(xattrs) }),
  };
}

/** As text; also as bytes where the text cannot say it. */
function pathFields(key: string, path: ByteString): Record<string, string> {
  const bytes = byteStringToBuffer(path);
  const text = { [key]: byteStringToText(path) };
  return isUtf8(bytes) ? text : { ...text, [`${key}_base64`]: bytes.toString('base64') };
}

function typeName({ type }: EntryState): string {
  return type === 'regular' ? 'file' : type;
}

function octal({ stat }: EntryState): string {
  return stat.mode.toString(8).padStart(4, '0');
}

/** Seconds and nanoseconds, as a dumpfile has them. */
function time({ stat }: EntryState): string {
  return `${stat.mtimeSec}.${String(stat.mtimeNsec).padStart(9, '0')}`;
}

/** `2025-08-20 19:25:01` UTC, with nanoseconds where there are some; beyond what a date can be, `@` and the seconds. */
function shownTime({ stat: { mtimeSec, mtimeNsec } }: EntryState): string {
  const date = new Date(mtimeSec * 1000);
  const text = Number.isNaN(date.getTime()) ? `@${mtimeSec}` : date.toISOString().replace('T', ' ').slice(0, -5);
  return mtimeNsec === 0 ? text : `${text}.${String(mtimeNsec).padStart(9, '0')}`;
}
