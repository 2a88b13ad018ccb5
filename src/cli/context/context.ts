import type { Output } from '../terminal/output.js';
import type { GlobalOptions } from './options.js';

/** What every verb gets besides its own arguments. */
export interface Context {
  readonly globals: GlobalOptions;
  /** Standard output: results only. */
  readonly output: Output;
}
