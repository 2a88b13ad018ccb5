import { join } from 'node:path';
import { ComposefsError } from '../../errors.js';

/** Where repositories are by default (spec 10 §8.1). */

/** `$HOME/.var/lib/composefs` */
export function userPath(): string {
  const { HOME: home } = process.env;
  if (home === undefined || home === '') {
    throw new ComposefsError('HOME_NOT_SET', '$HOME must be set when in user mode');
  }
  return join(home, '.var/lib/composefs');
}

/** `/sysroot/composefs` */
export function systemPath(): string {
  return '/sysroot/composefs';
}
