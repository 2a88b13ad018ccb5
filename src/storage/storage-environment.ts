import { homedir } from 'node:os';

/** Where stores and their configuration are looked for. Of tests and of other users' homes, too. */
export interface StorageEnvironment {
  readonly variables: NodeJS.ProcessEnv;
  /** The home directory of the user; undefined if there is none. */
  readonly home: string | undefined;
  readonly uid: number;
  /** Whether the system's settings and store are meant rather than those of a user. */
  readonly isRoot: boolean;
  /** `/etc` and `/usr/share`, and the system's own store. */
  readonly etc: string;
  readonly usrShare: string;
  readonly systemStore: string;
}

/** That of this process. */
export function storageEnvironment(variables: NodeJS.ProcessEnv = process.env): StorageEnvironment {
  const uid = process.geteuid?.() ?? 0;
  return {
    variables,
    home: variables['HOME'] || homedir() || undefined,
    uid,
    isRoot: uid === 0,
    etc: '/etc',
    usrShare: '/usr/share',
    systemStore: '/var/lib/containers/storage',
  };
}

/** The value of an environment variable; undefined where it is empty, too. */
export function variable({ variables }: StorageEnvironment, name: string): string | undefined {
  return variables[name] || undefined;
}
