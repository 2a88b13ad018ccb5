import type { Command } from 'commander';
import { similarNames } from './similar-names.js';

/** Verbs of podman, docker, skopeo, umoci, and what they are here. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['check', 'fsck'],
  ['cp', 'oci extract'],
  ['copy', 'oci export'],
  ['delete', 'oci untag'],
  ['download', 'oci pull'],
  ['import', 'oci pull'],
  ['info', 'doctor'],
  ['list', 'oci images'],
  ['load', 'oci pull'],
  ['remove', 'oci untag'],
  ['rm', 'oci untag'],
  ['rmi', 'oci untag'],
  ['save', 'oci export'],
  ['show', 'oci inspect'],
  ['unmount', 'umount'],
  ['unpack', 'oci extract'],
  ['upload', 'oci push'],
  ['validate', 'fsck'],
  ['verify', 'fsck'],
]);

/**
 * The whole command that somebody may mean by a verb that `group` does not have: one of that name in another group, what
 * other programs call so, or one of a similar name in another group.
 *
 * @returns undefined also where `group` itself has a similar name, unless another group has the very one.
 */
export function verbElsewhere(group: Command, name: string): string | undefined {
  let root = group;
  while (root.parent !== null) root = root.parent;
  const program = root.name();
  const others = [root, ...root.commands]
    .filter((each) => each !== group && each.commands.length > 0)
    .map((each) => ({ prefix: each === root ? program : `${program} ${each.name()}`, verbs: verbsOf(each) }));
  const exact = others.find(({ verbs }) => verbs.includes(name));
  if (exact !== undefined) return `${exact.prefix} ${name}`;
  const path = OTHER_NAMES.get(name);
  if (path !== undefined && leadsSomewhere(root, path.split(' '))) return `${program} ${path}`;
  if (similarNames(name, verbsOf(group)).length > 0) return undefined;
  for (const { prefix, verbs } of others) {
    const [similar] = similarNames(name, verbs);
    if (similar !== undefined) return `${prefix} ${similar}`;
  }
  return undefined;
}

/** The visible verbs of a group. */
export function verbsOf(group: Command): string[] {
  return group
    .createHelp()
    .visibleCommands(group)
    .map((child) => child.name());
}

function leadsSomewhere(root: Command, names: readonly string[]): boolean {
  let current: Command | undefined = root;
  for (const name of names) current = current?.commands.find((child) => child.name() === name);
  return current !== undefined;
}
