import { byteStringFromText } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import { TAR_END, type TarMember, tarMemberHeader, tarPadding } from '../../tar/tar-writer.js';
import type { Content } from './outgoing-content.js';

/** A member of an archive: a file, or without content a directory. */
export interface ArchiveMember {
  readonly name: string;
  readonly content?: Content;
  /** Of the content, in bytes. */
  readonly size?: number;
}

export function archiveFile(name: string, content: Buffer): ArchiveMember {
  return { name, content: [content], size: content.length };
}

/**
 * A tar of such members. Its bytes depend on nothing but them: owner is root, the time 1970.
 *
 * @throws ComposefsError `WRONG_SIZE` where a content is not as long as it was said to be.
 */
export async function* archive(
  members: Iterable<ArchiveMember> | AsyncIterable<ArchiveMember>,
): AsyncGenerator<Buffer> {
  for await (const { name, content, size = 0 } of members) {
    yield tarMemberHeader(
      content === undefined ? header(`${name}/`, 'directory', 0o755) : header(name, 'file', 0o644, size),
    );
    if (content === undefined) continue;
    let rest = size;
    for await (const chunk of content) {
      rest -= chunk.length;
      if (rest < 0) break;
      yield chunk;
    }
    if (rest !== 0) throw new ComposefsError('WRONG_SIZE', `${name} has not the ${size} bytes that it should have`);
    yield tarPadding(size);
  }
  yield TAR_END;
}

function header(path: string, type: TarMember['type'], mode: number, size = 0): TarMember {
  return { path: byteStringFromText(path), type, mode, size, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0 };
}
