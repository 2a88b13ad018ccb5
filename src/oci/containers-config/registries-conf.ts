import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { ComposefsError, errorCode } from '../../errors.js';
import { flag, list, struct, text, textMap } from '../../json/schema.js';
import { parseToml } from '../../json/toml.js';
import { hasHost, isHost, parseNamedReference } from '../model/registry-reference.js';
import { environmentValue, homeDirectory, systemConfigPath, userConfigPath } from './config-paths.js';
import { convertVersion1, version1Tables } from './registries-conf-v1.js';
import type { RegistryConfigOptions } from './registry-config.js';
import { readSettingsFile } from './settings-file.js';

export type MirrorUse = 'all' | 'digest-only' | 'tag-only';

export interface MirrorEntry {
  readonly location: string;
  readonly insecure: boolean;
  readonly use: MirrorUse;
}

/** One `[[registry]]` table, checked. */
export interface RegistryEntry {
  /** `host[:port][/namespace…][/repo[:tag|@digest]]` or `*.domain` */
  readonly prefix: string;
  /** Takes the place of the prefix; undefined: the name stays as it is. */
  readonly location: string | undefined;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly MirrorEntry[];
  /** The file, for messages. */
  readonly origin: string;
}

export type ShortNameMode = 'enforcing' | 'permissive' | 'disabled';

/** All of registries.conf(5), with the drop-in files merged; a main file may be of version 1. */
export interface RegistriesConf {
  readonly registries: readonly RegistryEntry[];
  readonly searchRegistries: readonly string[];
  /** What the search registries are from; undefined where no file names any. */
  readonly searchOrigin: string | undefined;
  readonly shortNameMode: ShortNameMode;
  readonly aliases: ReadonlyMap<string, string>;
  /** Where credentials are; `containers-auth.json` stands for the files. */
  readonly credentialHelpers: readonly string[];
}

export const AUTH_FILE_HELPER = 'containers-auth.json';

/** A configuration file that cannot be used. Code `INVALID_REGISTRIES_CONF`; the message names file and place. */
export class RegistriesConfError extends ComposefsError {
  constructor(path: string, message: string, cause?: unknown) {
    super('INVALID_REGISTRIES_CONF', `${path}: ${message}`, cause === undefined ? {} : { cause });
  }
}

/**
 * Reads the configuration as podman does: the file named by the options or by `CONTAINERS_REGISTRIES_CONF`, else the
 * user's, else the system's; then the system's drop-in files and the user's, each folder in the order of the names.
 * The user's own main file hides the system's drop-ins.
 *
 * @throws RegistriesConfError
 */
export function loadRegistriesConf(options: RegistryConfigOptions = {}): RegistriesConf {
  const merged = new MergedConf();
  const userMain = userConfigPath(options, 'registries.conf');
  const named = options.registriesConf ?? environmentValue(options, 'CONTAINERS_REGISTRIES_CONF');
  const userContent = named === undefined ? readOptional(userMain) : undefined;
  if (named !== undefined) merged.add(named, readNamed(named));
  else if (userContent !== undefined) merged.add(userMain, userContent);
  else addFile(merged, systemConfigPath(options, 'containers', 'registries.conf'));
  if (userContent === undefined) addFolder(merged, systemConfigPath(options, 'containers', 'registries.conf.d'));
  addFolder(merged, userConfigPath(options, 'registries.conf.d'));
  // What podman noted when it asked the user.
  addFile(merged, aliasCache(options));
  return merged;
}

function aliasCache(options: RegistryConfigOptions): string {
  const name = join('containers', 'short-name-aliases.conf');
  if (process.getuid?.() === 0) return join('/var/cache', name);
  return join(homeDirectory(options), '.cache', name);
}

function addFolder(merged: MergedConf, folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(cause))) return;
    throw new RegistriesConfError(folder, 'cannot be read', cause);
  }
  for (const name of names.filter((candidate) => candidate.endsWith('.conf')).sort())
    addFile(merged, join(folder, name), true);
}

function addFile(merged: MergedConf, path: string, isDropIn = false): void {
  const content = readOptional(path);
  if (content !== undefined) merged.add(path, content, isDropIn);
}

function readOptional(path: string, absent = ['ENOENT', 'ENOTDIR', 'EISDIR']): string | undefined {
  try {
    return readSettingsFile(path).toString('utf8');
  } catch (cause) {
    if (absent.includes(errorCode(cause))) return undefined;
    throw new RegistriesConfError(path, 'cannot be read', cause);
  }
}

function readNamed(path: string): string {
  const content = readOptional(path, ['ENOENT', 'ENOTDIR']);
  if (content === undefined) throw new RegistriesConfError(path, 'there is no such file');
  return content;
}

const mirrorTable = struct({
  location: v.optional(text),
  insecure: v.optional(flag),
  'pull-from-mirror': v.optional(text),
});

const registryTable = struct({
  prefix: v.optional(text),
  location: v.optional(text),
  insecure: v.optional(flag),
  blocked: v.optional(flag),
  mirror: v.optional(list(mirrorTable)),
  'mirror-by-digest-only': v.optional(flag),
  'pull-from-mirror': v.optional(text),
});

const document = struct({
  registry: v.optional(list(registryTable)),
  'unqualified-search-registries': v.optional(list(text)),
  'credential-helpers': v.optional(list(text)),
  'short-name-mode': v.optional(text),
  aliases: v.optional(textMap),
  registries: v.optional(version1Tables),
});

type Settings = Omit<v.InferOutput<typeof document>, 'registries'>;
type RegistryTable = v.InferOutput<typeof registryTable>;
type MirrorTable = v.InferOutput<typeof mirrorTable>;

class MergedConf implements RegistriesConf {
  readonly #registries = new Map<string, RegistryEntry>();
  readonly aliases = new Map<string, string>();
  searchRegistries: readonly string[] = [];
  searchOrigin: string | undefined;
  shortNameMode: ShortNameMode = 'permissive';
  credentialHelpers: readonly string[] = [AUTH_FILE_HELPER];

  get registries(): readonly RegistryEntry[] {
    return [...this.#registries.values()];
  }

  /** Settings of a later file take the place of earlier ones; tables that of the one with the same prefix. */
  add(path: string, content: string, isDropIn = false): void {
    const parsed = parseFile(path, content, isDropIn);
    for (const entry of checkRegistries(path, parsed.registry ?? [])) this.#registries.set(entry.prefix, entry);
    const search = parsed['unqualified-search-registries'];
    if (search !== undefined) {
      this.searchRegistries = search.map((host) => checkSearchRegistry(path, host));
      this.searchOrigin = path;
    }
    const helpers = parsed['credential-helpers'];
    if (helpers !== undefined) this.credentialHelpers = helpers.length === 0 ? [AUTH_FILE_HELPER] : helpers;
    const mode = parsed['short-name-mode'];
    if (mode !== undefined && mode !== '') this.shortNameMode = checkMode(path, mode);
    for (const [name, value] of Object.entries(parsed.aliases ?? {})) {
      checkAlias(path, name, value);
      if (value === '') this.aliases.delete(name);
      else this.aliases.set(name, value);
    }
  }
}

/** @param isDropIn must be of version 2. */
function parseFile(path: string, content: string, isDropIn: boolean): Settings {
  const { registries: old, ...settings } = parseToml(
    content,
    document,
    (message) => new RegistriesConfError(path, message),
  );
  const converted = old === undefined ? undefined : convertVersion1(old);
  if (converted === undefined) return settings;
  // As in containers/image.
  if (isDropIn || Object.keys(settings).length > 0) {
    const place = isDropIn ? 'cannot be in a drop-in file' : 'cannot be mixed with version 2';
    throw new RegistriesConfError(
      path,
      `[registries.…] is of version 1 of the format, which ${place}; use [[registry]]`,
    );
  }
  return converted;
}

function checkRegistries(path: string, tables: readonly RegistryTable[]): RegistryEntry[] {
  const entries = tables.map((table, i) => checkRegistry(path, `registry ${i + 1}`, table));
  for (const entry of entries) {
    const other = entries.find(({ location }) => location !== undefined && location === entry.location);
    for (const setting of ['insecure', 'blocked'] as const) {
      if (other === undefined || other[setting] === entry[setting]) continue;
      throw new RegistriesConfError(path, `registry '${entry.location}' is defined twice with different '${setting}'`);
    }
  }
  return entries;
}

function checkRegistry(path: string, what: string, table: RegistryTable): RegistryEntry {
  const location = table.location === undefined ? undefined : checkLocation(path, what, 'location', table.location);
  const given = table.prefix === undefined ? undefined : checkLocation(path, what, 'prefix', table.prefix);
  const prefix = given ?? location;
  if (prefix === undefined) throw new RegistriesConfError(path, `${what} has neither location nor prefix`);
  if (prefix.includes('*') && !/^\*\.[^*/:]+$/.test(prefix)) {
    throw new RegistriesConfError(path, `${what}: prefix '${prefix}': only *.example.com may have a wildcard`);
  }
  if (location === undefined && !prefix.startsWith('*.')) {
    throw new RegistriesConfError(path, `${what}: prefix '${prefix}' needs a location`);
  }
  if (location?.includes('*')) throw new RegistriesConfError(path, `${what}: location '${location}' has a wildcard`);
  if (table['pull-from-mirror'] !== undefined) {
    throw new RegistriesConfError(path, `${what} ('${prefix}'): pull-from-mirror is for mirrors only`);
  }
  const byDigest = table['mirror-by-digest-only'] === true;
  return {
    prefix,
    location,
    insecure: table.insecure ?? false,
    blocked: table.blocked ?? false,
    mirrors: (table.mirror ?? []).map((mirror, i) => checkMirror(path, `${what}, mirror ${i + 1}`, mirror, byDigest)),
    origin: path,
  };
}

function checkMirror(path: string, what: string, table: MirrorTable, byDigest: boolean): MirrorEntry {
  if (table.location === undefined) throw new RegistriesConfError(path, `${what} has no location`);
  const use = table['pull-from-mirror'] || undefined;
  if (use !== undefined && byDigest) {
    throw new RegistriesConfError(path, `${what}: pull-from-mirror and mirror-by-digest-only exclude each other`);
  }
  if (use !== undefined && use !== 'all' && use !== 'digest-only' && use !== 'tag-only') {
    throw new RegistriesConfError(path, `${what}: pull-from-mirror '${use}' is not all, digest-only or tag-only`);
  }
  return {
    location: checkLocation(path, what, 'location', table.location),
    insecure: table.insecure ?? false,
    use: use ?? (byDigest ? 'digest-only' : 'all'),
  };
}

function checkLocation(path: string, what: string, key: string, value: string): string {
  if (/^https?:\/\//.test(value)) {
    throw new RegistriesConfError(path, `${what}: ${key} '${value}' must be without http:// or https://`);
  }
  const trimmed = value.replace(/\/+$/, '');
  if (trimmed === '') throw new RegistriesConfError(path, `${what}: ${key} is empty`);
  return trimmed;
}

function checkSearchRegistry(path: string, value: string): string {
  const host = checkLocation(path, 'unqualified-search-registries', 'entry', value);
  if (isHost(host)) return host;
  throw new RegistriesConfError(path, `unqualified-search-registries: '${host}' is no host[:port]`);
}

function checkMode(path: string, mode: string): ShortNameMode {
  if (mode === 'enforcing' || mode === 'permissive' || mode === 'disabled') return mode;
  throw new RegistriesConfError(path, `short-name-mode '${mode}' is not enforcing, permissive or disabled`);
}

function checkAlias(path: string, name: string, value: string): void {
  const isRepository = (text: string): boolean => {
    try {
      const { tag, digest } = parseNamedReference(text);
      return tag === undefined && digest === undefined;
    } catch {
      return false;
    }
  };
  if (hasHost(name) || !isRepository(name)) throw new RegistriesConfError(path, `aliases: '${name}' is no short name`);
  if (value !== '' && !(hasHost(value) && isRepository(value))) {
    throw new RegistriesConfError(path, `aliases: '${name}': '${value}' must be HOST/NAME, without a tag or digest`);
  }
}
