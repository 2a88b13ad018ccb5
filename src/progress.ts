/** Progress as a typed event stream (spec 10 §19, spec 40 §13). */

/** Names the thing that progresses: a diff_id, a path. Compared by value; may be empty. */
export type ComponentId = string;

/** What is counted. */
export type ProgressUnit = 'bytes' | 'items';

/**
 * - `plan`: the overall total, in bytes, known before the first blob is read; `present` of it is already there.
 * - `started` … `progress`* … `done`: one component. `fetched` is cumulative and in the unit of `started`. `present` of
 *   it is there from an earlier time, and will be counted in `fetched` when it is read.
 * - `skipped`: nothing to do for the component; may come without `started`.
 * - `message`: free text for people; with the level `warning` something that they must not miss.
 *
 * New kinds may appear; consumers ignore the ones they do not know.
 */
export type ProgressEvent =
  | { readonly type: 'plan'; readonly total: number; readonly present: number; readonly unit: ProgressUnit }
  | {
      readonly type: 'started';
      readonly id: ComponentId;
      readonly total?: number;
      readonly present?: number;
      readonly unit: ProgressUnit;
    }
  | { readonly type: 'progress'; readonly id: ComponentId; readonly fetched: number; readonly total?: number }
  | { readonly type: 'skipped'; readonly id: ComponentId }
  | { readonly type: 'done'; readonly id: ComponentId; readonly transferred: number }
  | { readonly type: 'message'; readonly text: string; readonly level?: 'warning' };

/** Takes the events of a call. One object may be given to several calls at once. */
export interface ProgressReporter {
  /** Must return at once and must not throw. */
  report(event: ProgressEvent): void;
}

/** A reporter that several calls use at once: every one is, for JavaScript has no others. */
export type SharedReporter = ProgressReporter;

/** Ignores every event. */
export class NullReporter implements ProgressReporter {
  report(): void {}
}

/** The one {@link NullReporter} that is needed. */
export const nullReporter: ProgressReporter = new NullReporter();

/** Keeps the events in order, for tests. */
export class RecordingReporter implements ProgressReporter {
  readonly events: ProgressEvent[] = [];

  report(event: ProgressEvent): void {
    this.events.push(event);
  }
}
