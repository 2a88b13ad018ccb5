import { bootCuts } from './boot-cuts.js';
import { concurrency } from './concurrency.js';
import { fullDisks } from './full-disks.js';
import { growth } from './growth.js';
import { hostileRegistry } from './hostile-registry.js';
import { injectedErrors } from './injected-errors.js';
import { kills } from './kills.js';
import { mutations } from './mutations.js';
import { powerCuts } from './power-cuts.js';
import type { Campaign } from './round.js';
import { secureCuts } from './secure-cuts.js';
import { storeRaces } from './store-races.js';

export const CAMPAIGNS: Readonly<Record<string, Campaign>> = {
  kills,
  'power-cuts': powerCuts,
  'boot-cuts': bootCuts,
  'secure-cuts': secureCuts,
  'full-disks': fullDisks,
  'injected-errors': injectedErrors,
  concurrency,
  mutations,
  'hostile-registry': hostileRegistry,
  growth,
  'store-races': storeRaces,
};
