import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { userNamespaceLauncher } from '../../linux/user-namespace.js';
import { ExitStatus } from '../exit-status.js';

/** Handed on to the command; an interrupt from the terminal reaches it by itself. */
const FORWARDED = ['SIGTERM', 'SIGHUP'] as const;
const FROM_TERMINAL = ['SIGINT', 'SIGQUIT'] as const;

/** Runs a command as root of a new user namespace and ends with its exit status. */
export async function unshare(command: readonly string[]): Promise<never> {
  const [program = '', ...args] = userNamespaceLauncher().command;
  const shell = process.env['SHELL'] ?? '/bin/sh';
  const child = spawn(program, [...args, ...(command.length > 0 ? command : [shell])], { stdio: 'inherit' });
  for (const name of FORWARDED) process.on(name, () => child.kill(name));
  for (const name of FROM_TERMINAL) process.on(name, () => undefined);
  const [status, signal]: (number | NodeJS.Signals | null)[] = await once(child, 'exit');
  if (typeof status === 'number') throw new ExitStatus(status);
  throw new ExitStatus(typeof signal === 'string' ? 128 + constants.signals[signal] : 1);
}
