import { fullDisks } from './full-disks.js';
import { injectedErrors } from './injected-errors.js';
import { kills } from './kills.js';
import { powerCuts } from './power-cuts.js';
import type { Campaign } from './round.js';

export const CAMPAIGNS: Readonly<Record<string, Campaign>> = {
  kills,
  'power-cuts': powerCuts,
  'full-disks': fullDisks,
  'injected-errors': injectedErrors,
};
