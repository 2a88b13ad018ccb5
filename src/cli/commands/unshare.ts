import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { absolutePath } from '../../linux/find-program.js';
import { processesInMountNamespace } from '../../system/processes.js';
import { userNamespaceLauncher } from '../../system/user-namespace.js';
import { ExitStatus } from '../context/exit-status.js';

/** Handed on to the command; an interrupt from the terminal reaches it by itself. */
const FORWARDED = ['SIGTERM', 'SIGHUP'] as const;
const FROM_TERMINAL = ['SIGINT', 'SIGQUIT'] as const;

/** Tells on descriptor 3 which namespace it is in, and becomes the command, with the user's own PATH. */
const REPORT_AND_RUN = 'readlink /proc/self/ns/mnt >&3; PATH=$1; shift; exec "$@" 3>&-';

/** The title that FUSE servers give to their processes. */
const FUSE_SERVER = /^composefs-fuse\b/;

/** Runs a command as root of a new user namespace and ends with its exit status. */
export async function unshare(command: readonly string[]): Promise<never> {
  const { command: launcher, ids } = userNamespaceLauncher();
  const [program = '', ...args] = launcher;
  const inside = command.length > 0 ? command : [process.env['SHELL'] ?? '/bin/sh'];
  const path = absolutePath();
  const child = spawn(
    program,
    [...args, '/bin/sh', '-c', REPORT_AND_RUN, 'sh', process.env['PATH'] ?? path, ...inside],
    {
      stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
      env: { ...process.env, PATH: path },
    },
  );
  for (const name of FORWARDED) process.on(name, () => child.kill(name));
  for (const name of FROM_TERMINAL) process.on(name, () => undefined);
  const namespace = reportOf(child);
  const [status, signal]: (number | NodeJS.Signals | null)[] = await once(child, 'exit');
  // The namespace of podman outlives the command.
  if (ids !== 'podman') endOrphanedServers(namespace());
  if (typeof status === 'number') throw new ExitStatus(status);
  throw new ExitStatus(typeof signal === 'string' ? 128 + constants.signals[signal] : 1);
}

function reportOf(child: ChildProcess): () => string {
  let text = '';
  child.stdio[3]?.on('data', (data: Buffer) => {
    text += data.toString();
  });
  return () => text.trim();
}

/**
 * A mount keeps its FUSE server running, which is in the namespace of the mount and so keeps that: if nobody else is
 * left in it, they would be there forever, and nobody could reach them.
 */
function endOrphanedServers(namespace: string): void {
  const left = namespace === '' ? [] : processesInMountNamespace(namespace);
  if (left.some(({ name }) => !FUSE_SERVER.test(name))) return;
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      // It has ended by itself.
    }
  }
}
