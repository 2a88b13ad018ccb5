import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface NamespaceProcess {
  readonly pid: number;
  /** `comm`: at most 15 bytes. */
  readonly name: string;
}

/** @param namespace as `/proc/<pid>/ns/mnt` reads: `mnt:[4026531841]`. Processes that may not be looked at are left out. */
export function processesInMountNamespace(namespace: string): NamespaceProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^[1-9][0-9]*$/.test(name))
    .flatMap((pid) => {
      try {
        if (readlinkSync(`/proc/${pid}/ns/mnt`) !== namespace) return [];
        return [{ pid: Number(pid), name: readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd() }];
      } catch {
        return []; // Gone, or somebody else's.
      }
    });
}
