import { byteStringToText } from '../../bytes/byte-string.js';
import { fullMessage } from '../../errors.js';
import { type Category, isBrokenLink, listEntries, walkRefs } from './category.js';
import type { EntryKind } from './directory-entries.js';
import type { FsckCounter, FsckFindings } from './fsck-result.js';
import type { RepositoryHost } from './host.js';

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
 * @param checkContent called for each entry that leads to a file, with its name and path.
 */
export function checkLinks(
  repository: RepositoryHost,
  category: Category,
  findings: FsckFindings,
  checkContent: (name: string, path: string) => void,
): void {
  const checked: FsckCounter = category === 'streams' ? 'streamsChecked' : 'imagesChecked';
  const corrupted: FsckCounter = category === 'streams' ? 'streamsCorrupted' : 'imagesCorrupted';
  for (const entry of listEntries(repository, category)) {
    const name = byteStringToText(entry.name);
    const path = `${category}/${name}`;
    findings.count(checked);
    try {
      if (entry.kind !== 'symlink') findings.add({ type: 'entry-not-symlink', path }, corrupted);
      else if (isBrokenLink(repository.root, entry.path))
        findings.add({ type: 'broken-symlink', path }, 'brokenLinks', corrupted);
      else checkContent(name, path);
    } catch (error) {
      findings.add({ type: 'stat-failed', path, detail: fullMessage(error) });
    }
  }
  for (const entry of walkRefs(repository, category)) {
    const path = `${category}/refs/${byteStringToText(entry.relativePath)}`;
    try {
      if (entry.kind !== 'symlink') {
        findings.add({ type: 'unexpected-file-type', path, detail: TYPE_NAMES[entry.kind] });
      } else if (isBrokenLink(repository.root, entry.path))
        findings.add({ type: 'broken-symlink', path }, 'brokenLinks');
    } catch (error) {
      findings.add({ type: 'stat-failed', path, detail: fullMessage(error) });
    }
  }
}
