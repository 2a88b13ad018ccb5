import { closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { withFd } from '../../fs/files.js';
import { fsconfigCreate, fsconfigFlag, fsconfigString, fsmount, fsopen } from '../../linux/mount-api.js';
import { reasonOf } from './kernel-support.js';
import { withScratchDirectory } from './scratch.js';

export interface OverlayFeatures {
  /** A layer below the tree that has files only by redirects: `::` (spec 50 §17). */
  readonly dataLayer?: boolean;
  readonly upper?: boolean;
  /** `userxattr`, as in user namespaces. */
  readonly flag?: string;
  readonly options?: Readonly<Record<string, string>>;
}

/** Mounts an overlay of empty directories, attached nowhere. @returns why it cannot be; undefined if it can. */
export function whyNoOverlay(features: OverlayFeatures): string | undefined {
  return withScratchDirectory((directory) => {
    const [tree, data, upper, work] = ['tree', 'data', 'upper', 'work'].map((name) => {
      mkdirSync(join(directory, name));
      return join(directory, name);
    });
    try {
      return withFd(fsopen('overlay'), (context) => {
        if (features.flag !== undefined) fsconfigFlag(context, features.flag);
        for (const [key, value] of Object.entries(features.options ?? {})) fsconfigString(context, key, value);
        fsconfigString(context, 'lowerdir', features.dataLayer ? `${tree}::${data}` : `${tree}:${data}`);
        if (features.upper) {
          fsconfigString(context, 'upperdir', upper ?? '');
          fsconfigString(context, 'workdir', work ?? '');
        }
        fsconfigCreate(context);
        closeSync(fsmount(context, 0));
        return undefined;
      });
    } catch (error) {
      return reasonOf(error);
    }
  });
}

/** Why a user namespace cannot have overlays with a writable layer, and with data-only layers; null where it can. */
export interface RootlessOverlay {
  readonly upper: string | null;
  readonly dataLayer: string | null;
}

/** Called in a user namespace. */
export function tryRootlessOverlay(): RootlessOverlay {
  return {
    upper: whyNoOverlay({ upper: true, flag: 'userxattr' }) ?? null,
    dataLayer: whyNoOverlay({ dataLayer: true, flag: 'userxattr' }) ?? null,
  };
}
