import { buildImage, type ImageOptions, type TestImage } from './oci-fixtures.js';
import { paxHeader, tarArchive, tarDirectory, tarFile, tarHardlink } from './tar-builder.js';

/**
 * Images that can be booted, with what makes boot images differ: `user.*` xattrs (modes), nanoseconds (formats), a hard
 * link whose two names an SELinux policy labels differently.
 */

export const KVER = '6.1.0-1';

export interface BootTreeOptions {
  /** `/etc/selinux` with the policy `targeted`. */
  readonly policy?: boolean;
  /** A kernel with initramfs in `/usr/lib/modules`. */
  readonly kernel?: boolean;
  /** Files in `/boot`, by path below it; directories are made. */
  readonly boot?: Readonly<Record<string, string | Buffer>>;
  /** Directories to leave out. */
  readonly without?: readonly string[];
}

const LABEL = (type: string): string => `system_u:object_r:${type}_t:s0`;

const FILE_CONTEXTS = [
  ['/.*', '', LABEL('default')],
  ['/', '-d', LABEL('root')],
  ['/usr(/.*)?', '', LABEL('usr')],
  ['/usr/bin(/.*)?', '--', LABEL('bin')],
  ['/opt(/.*)?', '', LABEL('opt')],
  ['/boot(/.*)?', '', '<<none>>'],
]
  .map((fields) => `${fields.join(' ')}\n`)
  .join('');

/** The layer that makes such a tree. */
export function bootTree({ policy, kernel, boot = {}, without = [] }: BootTreeOptions = {}): Buffer {
  const parts = new Map<string, Buffer[]>();
  const directory = (name: string, mtime = '1000'): void => {
    if (without.includes(name) || parts.has(name)) return;
    parts.set(name, [paxHeader([['mtime', mtime]]), tarDirectory(`${name}/`)]);
  };
  const file = (name: string, data: string | Buffer, records: readonly (readonly [string, string])[] = []): void => {
    const names = name.split('/');
    for (let depth = 1; depth < names.length; depth++) directory(names.slice(0, depth).join('/'));
    const header = records.length === 0 ? [] : [paxHeader(records)];
    parts.set(name, [...header, tarFile(name, data, { mtime: 1000 })]);
  };
  directory('usr', '1000.5');
  directory('boot', '2000.25');
  directory('sysroot', '3000.125');
  directory('run');
  file('usr/bin/tool', 'x'.repeat(3000), [['SCHILY.xattr.user.note', 'kept or not']]);
  file('usr/bin/small', 'hi');
  directory('opt');
  parts.set('opt/tool', [tarHardlink('opt/tool', 'usr/bin/tool')]);
  if (policy === true) {
    file('etc/selinux/config', 'SELINUX=enforcing\nSELINUXTYPE=targeted\n');
    file('etc/selinux/targeted/contexts/files/file_contexts', FILE_CONTEXTS);
  }
  if (kernel === true) {
    file(`usr/lib/modules/${KVER}/vmlinuz`, 'K'.repeat(5000));
    file(`usr/lib/modules/${KVER}/initramfs.img`, 'I'.repeat(7000));
  }
  for (const [name, data] of Object.entries(boot)) file(`boot/${name}`, data);
  return tarArchive([...parts.values()].flat());
}

export function bootableImage(tree: BootTreeOptions = {}, options: ImageOptions = {}): TestImage {
  return buildImage([bootTree({ kernel: true, ...tree })], options);
}
