import { existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { errorCode } from '../errors.js';
import { readFully, withFd } from '../fs/files.js';
import { list, struct, text } from '../json/schema.js';
import { parseToml } from '../json/toml.js';
import { type StorageEnvironment, variable } from './storage-environment.js';
import { StoreError } from './store-error.js';

/** What containers-storage.conf(5) says of where images are. Paths are complete: variables are expanded. */
export interface StorageConf {
  /** The file; undefined if there is none. */
  readonly path: string | undefined;
  /** Whether the environment named the file. */
  readonly isNamed: boolean;
  readonly driver: string | undefined;
  readonly graphRoot: string | undefined;
  readonly runRoot: string | undefined;
  /** Stores besides the graph root that images are read from. */
  readonly imageStores: readonly string[];
}

const MAX_BYTES = 1 << 20;

const optionalText = v.optional(text);

const document = struct({
  storage: v.optional(
    struct({
      driver: optionalText,
      graphroot: optionalText,
      runroot: optionalText,
      rootless_storage_path: optionalText,
      imagestore: optionalText,
      options: v.optional(struct({ additionalimagestores: v.optional(list(text)), imagestore: optionalText })),
    }),
  ),
});

type Settings = NonNullable<v.InferOutput<typeof document>['storage']>;

/**
 * Reads storage.conf as containers/storage does: the file that `CONTAINERS_STORAGE_CONF` names; for root that of `/etc`,
 * else that of `/usr/share`; for an ordinary user the own one, and of the system's what is meant for everybody.
 *
 * @throws StoreError `INVALID_STORAGE_CONF`
 */
export function loadStorageConf(environment: StorageEnvironment): StorageConf {
  const named = variable(environment, 'CONTAINERS_STORAGE_CONF');
  const system = readSettings(systemFile(environment));
  if (named !== undefined) return conf(readNamed(named), true, environment);
  if (environment.isRoot) return conf(system, false, environment);
  const home = variable(environment, 'XDG_CONFIG_HOME') ?? inHome(environment, '.config');
  const own = home === undefined ? undefined : readSettings(join(home, 'containers', 'storage.conf'));
  // Graph and run root of the system's file are those of root.
  const { graphroot: _, runroot: __, imagestore: ___, ...forAll } = system?.settings ?? {};
  const settings = { ...forAll, ...own?.settings, options: { ...forAll.options, ...own?.settings.options } };
  return conf({ path: own?.path ?? system?.path, settings }, false, environment);
}

interface ReadSettings {
  readonly path: string | undefined;
  readonly settings: Settings;
}

function conf(read: ReadSettings | undefined, isNamed: boolean, environment: StorageEnvironment): StorageConf {
  const { driver, graphroot, runroot, rootless_storage_path: rootless, imagestore, options } = read?.settings ?? {};
  const expand = (path: string | undefined): string | undefined => expandPath(path, environment);
  const additional = options?.additionalimagestores ?? [];
  const imageStores = [
    imagestore,
    options?.imagestore,
    ...(typeof additional === 'string' ? [additional] : additional),
  ];
  return {
    path: read?.path,
    isNamed,
    driver: driver || undefined,
    // In the file of a user a graph root is meant, whatever else it says.
    graphRoot: expand(graphroot) ?? (environment.isRoot ? undefined : expand(rootless)),
    runRoot: expand(runroot),
    imageStores: imageStores.flatMap((path) => expand(path) ?? []),
  };
}

function systemFile({ etc, usrShare }: StorageEnvironment): string {
  const override = join(etc, 'containers', 'storage.conf');
  return existsSync(override) ? override : join(usrShare, 'containers', 'storage.conf');
}

function readNamed(path: string): ReadSettings {
  const read = readSettings(path);
  if (read !== undefined) return read;
  throw new StoreError('INVALID_STORAGE_CONF', `${path}: there is no such file`, {
    hint: 'CONTAINERS_STORAGE_CONF names it',
  });
}

function readSettings(path: string): ReadSettings | undefined {
  let content: string;
  try {
    content = withFd(openSync(path, 'r'), (fd) => readFully(fd, MAX_BYTES)).toString('utf8');
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(cause))) return undefined;
    throw new StoreError('INVALID_STORAGE_CONF', `${path} cannot be read`, { cause });
  }
  return { path, settings: parseSettings(path, content) };
}

function parseSettings(path: string, content: string): Settings {
  const fail = (message: string): StoreError => new StoreError('INVALID_STORAGE_CONF', `${path}: ${message}`);
  return parseToml(content, document, fail).storage ?? {};
}

/** As Go's `os.Expand` with `HOME`, `UID` and the environment. */
function expandPath(path: string | undefined, environment: StorageEnvironment): string | undefined {
  if (path === undefined || path === '') return undefined;
  return path.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced: string | undefined, plain: string | undefined) => {
    const name = braced ?? plain ?? '';
    if (name === 'UID') return String(environment.uid);
    if (name === 'HOME') return environment.home ?? '';
    return environment.variables[name] ?? '';
  });
}

function inHome({ home }: StorageEnvironment, name: string): string | undefined {
  return home === undefined ? undefined : join(home, name);
}
