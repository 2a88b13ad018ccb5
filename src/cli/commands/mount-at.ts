import type { ReadableRepository } from '../../composefs/index.js';
import { withInterrupt } from '../context/interrupt.js';
import { type MountOptions, mountFlags } from '../context/mount-options.js';

const METHODS = { auto: 'auto', yes: 'fuse', no: 'kernel' } as const;

/** Mounts an image as the MNT options (spec 70 C3) want it: with the kernel, or through FUSE. */
export async function mountAt(
  repo: ReadableRepository,
  name: string,
  mountpoint: string,
  options: MountOptions,
): Promise<void> {
  const { fuse, foreground = false, upperdir, workdir, verify } = options;
  const how = { with: METHODS[fuse], upperDir: upperdir, workDir: workdir, verify, ...mountFlags(options) };
  const { mountEither, serveEither } = await import('../../fuse/mount-either.js');
  if (!foreground) return void (await mountEither(repo, name, mountpoint, how));
  // The lock would keep garbage from being collected for as long as the mount is there.
  const onMounted = (): void => repo.close();
  await withInterrupt((signal) => serveEither(repo, name, mountpoint, { ...how, signal, onMounted }));
}
