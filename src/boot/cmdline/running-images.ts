import { readFileSync } from 'node:fs';
import { type ImageArgument, imageArguments } from './composefs-argument.js';

/**
 * The images that the command line of the running kernel names: this machine runs from one of them, unless it booted
 * something else. None where the command line cannot be read, or names something else by the same keys.
 */
export function runningImages(): ImageArgument[] {
  try {
    return imageArguments(readFileSync('/proc/cmdline', 'utf8').trimEnd());
  } catch {
    return [];
  }
}
