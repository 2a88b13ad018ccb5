import { type FsckError, formatFsckError } from './fsck-error.js';

/** What a consistency check found (spec 10 §18.1), with its fields in the order of the JSON. */
export interface FsckResult {
  readonly hasMetadata: boolean;
  readonly objectsChecked: number;
  readonly objectsCorrupted: number;
  readonly streamsChecked: number;
  readonly streamsCorrupted: number;
  readonly imagesChecked: number;
  readonly imagesCorrupted: number;
  readonly brokenLinks: number;
  readonly missingObjects: number;
  readonly errors: readonly FsckError[];
}

export type FsckCounter = Exclude<keyof FsckResult, 'hasMetadata' | 'errors'>;

/** Findings of a part of the check, to be added to others. Plain data: it crosses threads. */
export interface FsckPart {
  readonly counters: Partial<Record<FsckCounter, number>>;
  readonly errors: readonly FsckError[];
  /** Whether an object is not as streams and images need it, be it a finding or not. */
  readonly isDoubtful: boolean;
}

/** Collects the findings of one part. */
export class FsckFindings implements FsckPart {
  readonly counters: Partial<Record<FsckCounter, number>> = {};
  readonly errors: FsckError[] = [];
  isDoubtful = false;

  count(counter: FsckCounter, by = 1): void {
    this.counters[counter] = (this.counters[counter] ?? 0) + by;
  }

  /** @param counters counted as well. */
  add(error: FsckError, ...counters: readonly FsckCounter[]): void {
    this.errors.push(error);
    for (const counter of counters) this.count(counter);
  }
}

/** The parts as one result; errors keep the order of the parts. */
export function mergeFindings(hasMetadata: boolean, parts: readonly FsckPart[]): FsckResult {
  const sum = (counter: FsckCounter): number => parts.reduce((total, part) => total + (part.counters[counter] ?? 0), 0);
  return {
    hasMetadata,
    objectsChecked: sum('objectsChecked'),
    objectsCorrupted: sum('objectsCorrupted'),
    streamsChecked: sum('streamsChecked'),
    streamsCorrupted: sum('streamsCorrupted'),
    imagesChecked: sum('imagesChecked'),
    imagesCorrupted: sum('imagesCorrupted'),
    brokenLinks: sum('brokenLinks'),
    missingObjects: sum('missingObjects'),
    errors: parts.flatMap((part) => part.errors),
  };
}

/** Whether a check has found nothing. */
export function isFsckOk(result: FsckResult): boolean {
  return result.errors.length === 0;
}

/** The reply of `cfsctl fsck --json` and of varlink, with its fields in their order. */
export interface FsckResultWire {
  readonly ok: boolean;
  readonly has_metadata: boolean;
  readonly objects_checked: number;
  readonly objects_corrupted: number;
  readonly streams_checked: number;
  readonly streams_corrupted: number;
  readonly images_checked: number;
  readonly images_corrupted: number;
  readonly broken_links: number;
  readonly missing_objects: number;
  readonly errors: readonly string[];
}

/** A result as `cfsctl fsck --json` prints it. */
export function fsckResultToWire(result: FsckResult): FsckResultWire {
  return {
    ok: isFsckOk(result),
    has_metadata: result.hasMetadata,
    objects_checked: result.objectsChecked,
    objects_corrupted: result.objectsCorrupted,
    streams_checked: result.streamsChecked,
    streams_corrupted: result.streamsCorrupted,
    images_checked: result.imagesChecked,
    images_corrupted: result.imagesCorrupted,
    broken_links: result.brokenLinks,
    missing_objects: result.missingObjects,
    errors: result.errors.map(formatFsckError),
  };
}

/** {@link fsckReport} as one text, each line ended by a line feed. */
export function formatFsckResult(result: FsckResult): string {
  return `${fsckReport(result).join('\n')}\n`;
}

/** The lines of the report for people (spec 10 §18.4). */
export function fsckReport(result: FsckResult): string[] {
  const lines = [`meta.json: ${metadataState(result)}`];
  const good = (what: string, checked: number, corrupted: number): void => {
    lines.push(`${what}: ${Math.max(0, checked - corrupted)}/${checked} ok`);
  };
  good('objects', result.objectsChecked, result.objectsCorrupted);
  good('streams', result.streamsChecked, result.streamsCorrupted);
  good('images', result.imagesChecked, result.imagesCorrupted);
  if (result.brokenLinks > 0) lines.push(`broken symlinks: ${result.brokenLinks}`);
  if (result.missingObjects > 0) lines.push(`missing objects: ${result.missingObjects}`);
  if (isFsckOk(result)) lines.push('status: ok');
  else {
    lines.push(`status: ${result.errors.length} error(s)`);
    for (const error of result.errors) lines.push(`  - ${formatFsckError(error)}`);
  }
  return lines;
}

function metadataState(result: FsckResult): string {
  if (result.errors.some((error) => error.type.startsWith('metadata-'))) return 'error';
  return result.hasMetadata ? 'ok' : 'absent';
}
