import { type Dirent, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsError, errorCode } from '../../errors.js';
import { systemConfigPath, userConfigPath } from './config-paths.js';
import type { RegistryConfigOptions } from './registry-config.js';
import { readSettingsFile } from './settings-file.js';

/** Certificates for one registry. Plain data. */
export interface TlsMaterial {
  /** PEM, in addition to the roots of the system. */
  readonly ca: readonly string[];
  /** The client's certificate, PEM, and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** The directories that all this is from, for messages. */
  readonly origin: string;
}

/**
 * Loads what the `certs.d` directories and `--cert-dir` have for a registry: `*.crt` are authorities, `NAME.cert` and
 * `NAME.key` a client's certificate (containers-certs.d(5)). As podman: the given directory, if any, alone; else
 * `HOST[:PORT]` below the user's and then the system's directories, of which the first that exists counts.
 *
 * @param host `host[:port]` as in the reference
 * @throws ComposefsError `TLS_MATERIAL` where a certificate has no key or the other way round, or a file is unreadable.
 */
export function loadTls(host: string, options: RegistryConfigOptions = {}): TlsMaterial | undefined {
  const { certDir } = options;
  const directories = certDir === undefined ? certificateDirectories(host, options) : [certDir];
  for (const directory of directories) {
    const entries = list(directory, certDir !== undefined);
    if (entries !== undefined) return loadDirectory(directory, entries);
  }
  return undefined;
}

/** In the order in which they are looked for. */
function certificateDirectories(host: string, options: RegistryConfigOptions): string[] {
  return [
    userConfigPath(options, 'certs.d', host),
    systemConfigPath(options, 'containers', 'certs.d', host),
    systemConfigPath(options, 'docker', 'certs.d', host),
  ];
}

/** The names in a directory in order; undefined where there is no such directory or it may not be read. */
function list(directory: string, isRequired: boolean): string[] | undefined {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    const isAbsent = ['ENOENT', 'ENOTDIR', 'EACCES'].includes(errorCode(cause));
    if (isAbsent && !isRequired) return undefined;
    throw new ComposefsError('TLS_MATERIAL', `Cannot read the directory of certificates ${directory}`, { cause });
  }
  return entries.map(({ name }) => name).sort();
}

function loadDirectory(directory: string, names: readonly string[]): TlsMaterial | undefined {
  const load = (name: string): string => {
    const path = join(directory, name);
    try {
      return readSettingsFile(path).toString('utf8');
    } catch (cause) {
      throw new ComposefsError('TLS_MATERIAL', `Cannot read ${path}`, { cause });
    }
  };
  const ca = names.filter((name) => name.endsWith('.crt')).map(load);
  const pairs = clientPairs(directory, new Set(names));
  const [pair] = pairs;
  if (ca.length === 0 && pair === undefined) return undefined;
  const client = pair === undefined ? {} : { cert: load(`${pair}.cert`), key: load(`${pair}.key`) };
  return { ca, ...client, origin: directory };
}

/** The names, without extension, of certificates with their keys. */
function clientPairs(directory: string, names: ReadonlySet<string>): string[] {
  const stems = (extension: string): string[] =>
    [...names].filter((name) => name.endsWith(extension)).map((name) => name.slice(0, -extension.length));
  for (const stem of stems('.key')) {
    if (!names.has(`${stem}.cert`)) {
      throw new ComposefsError(
        'TLS_MATERIAL',
        `There is no certificate ${stem}.cert for the key ${stem}.key in ${directory}`,
      );
    }
  }
  for (const stem of stems('.cert')) {
    if (!names.has(`${stem}.key`)) {
      throw new ComposefsError(
        'TLS_MATERIAL',
        `There is no key ${stem}.key for the certificate ${stem}.cert in ${directory}`,
        {
          hint: 'The certificate of an authority needs a name that ends in .crt.',
        },
      );
    }
  }
  return stems('.cert');
}
