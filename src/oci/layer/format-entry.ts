import { escapeField } from '../../composefs/dumpfile/escape.js';
import { directoryLine, hardlinkLine, leafLine } from '../../composefs/dumpfile/format.js';
import type { TarEntry } from './tar-entry.js';

/**
 * A layer's entry as a dumpfile line, without LF (spec 30 §6.4). The link count is always 1, and the path is the
 * entry's own: the lines of a layer are for people, no dumpfile of a tree.
 */
export function formatTarEntry({ path, stat, item }: TarEntry): string {
  const escapedPath = escapeField(path); // the root's is empty
  switch (item.type) {
    case 'directory':
      return directoryLine(escapedPath, stat, 1);
    case 'leaf':
      return leafLine(escapedPath, stat, item.content, 1);
    case 'hardlink':
      return hardlinkLine(escapedPath, escapeField(item.target));
  }
}
