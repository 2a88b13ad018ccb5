import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Names below a directory that are not directories; empty if it is missing. */
export function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  // Node's own recursive listing follows symlinks from version 22 on.
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory() ? filesBelow(join(path, entry.name)).map((name) => join(entry.name, name)) : [entry.name],
    )
    .sort();
}
