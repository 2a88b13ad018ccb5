import { posix } from 'node:path';
import { type ByteString, byteStringToText } from '../../../bytes/byte-string.js';
import { fullMessage } from '../../../errors.js';
import type { EntryKind } from '../../../fs/directory-entries.js';
import type { Steps } from '../../../threads/turns.js';
import { type ObjectId, objectIdFromPathname, objectPathname } from '../../fsverity/object-id.js';
import { type Category, isBrokenLink, listEntries, readLinkBytes, walkRefs } from '../names/category.js';
import { REFS } from '../names/names.js';
import type { RepositoryHost } from '../objects/host.js';
import type { FsckCounter, FsckFindings } from './fsck-result.js';

const TYPE_NAMES: Readonly<Record<EntryKind, string>> = {
  'regular-file': 'RegularFile',
  fifo: 'Fifo',
  socket: 'Socket',
  'character-device': 'CharacterDevice',
  'block-device': 'BlockDevice',
  directory: 'Directory',
  symlink: 'Symlink',
  unknown: 'Unknown',
};

/**
 * Checks the entries of a category, then its references (spec 10 §18.2 phases 2 and 3).
 *
 * @param contentSteps called for each entry that leads to a file, with its name and path.
 */
export function* linkSteps(
  repository: RepositoryHost,
  category: Category,
  findings: FsckFindings,
  contentSteps: (name: string, path: string) => Steps<void>,
): Steps<void> {
  const checked: FsckCounter = category === 'streams' ? 'streamsChecked' : 'imagesChecked';
  const corrupted: FsckCounter = category === 'streams' ? 'streamsCorrupted' : 'imagesCorrupted';
  for (const entry of listEntries(repository, category)) {
    yield;
    const name = byteStringToText(entry.name);
    const path = `${category}/${name}`;
    findings.count(checked);
    try {
      if (entry.kind !== 'symlink') findings.add({ type: 'entry-not-symlink', path }, corrupted);
      else if (isBrokenLink(repository.root, entry.path))
        findings.add({ type: 'broken-symlink', path }, 'brokenLinks', corrupted);
      else {
        const text = readLinkBytes(repository.root, entry.path);
        const problem = text === undefined ? 'it has vanished' : entryProblem(repository, category, name, text);
        if (problem !== undefined) findings.add({ type: 'wrong-link', path, detail: problem }, corrupted);
        yield* contentSteps(name, path);
      }
    } catch (error) {
      findings.add({ type: 'stat-failed', path, detail: fullMessage(error) });
    }
  }
  for (const entry of walkRefs(repository, category)) {
    yield;
    const path = `${category}/refs/${byteStringToText(entry.relativePath)}`;
    try {
      if (entry.kind !== 'symlink') {
        findings.add({ type: 'unexpected-file-type', path, detail: TYPE_NAMES[entry.kind] });
        continue;
      }
      const isBroken = isBrokenLink(repository.root, entry.path);
      const text = readLinkBytes(repository.root, entry.path);
      // Another process may remove a reference at any time, and after its end is looked for as well.
      if (text === undefined) continue;
      if (isBroken) findings.add({ type: 'broken-symlink', path }, 'brokenLinks');
      else if (!namesEntry(category, entry.relativePath, text)) {
        const detail = `leads to ${byteStringToText(text)}, which is no entry of ${category}/`;
        findings.add({ type: 'wrong-link', path, detail });
      }
    } catch (error) {
      findings.add({ type: 'stat-failed', path, detail: fullMessage(error) });
    }
  }
}

/** What is wrong with the text of an entry's link, though it leads to a file of the repository. */
function entryProblem(
  repository: RepositoryHost,
  category: Category,
  name: string,
  text: ByteString,
): string | undefined {
  const target = byteStringToText(text);
  let id: ObjectId;
  try {
    id = objectIdFromPathname(repository.objects.algorithm, target);
  } catch (error) {
    return fullMessage(error);
  }
  if (posix.join(category, target).toLowerCase() !== `objects/${objectPathname(id)}`) {
    return `leads to ${target}, which is no object of the repository`;
  }
  // A stream has a name of its own, an image is its name.
  return category === 'images' && id !== name ? `leads to the object ${id}` : undefined;
}

/** Whether a reference leads to an entry of its category, by which the collector goes. */
function namesEntry(category: Category, ref: ByteString, text: ByteString): boolean {
  const [first, name, ...others] = posix.join(category, REFS, posix.dirname(ref), text).split('/');
  return first === category && name !== undefined && name !== REFS && others.length === 0;
}
