import { readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { listLayoutTags, listLogins } from '../../index.js';
import { hasHost } from '../../oci/model/registry-reference.js';
import { decodeTag } from '../../oci/model/tag.js';
import type { Completion } from './complete.js';
import type { Candidate, ValueKind } from './value-kind.js';

/** More are no help. */
const MAX_NAMES = 10_000;

const SOURCES = [
  'docker://',
  'oci:',
  'oci-archive:',
  'docker-archive:',
  'dir:',
  'docker-daemon:',
  'containers-storage:',
];
const EXPORT_TARGETS = ['oci:', 'oci-archive:', 'docker-archive:', 'dir:', 'tar:'];
const PATH_TRANSPORT = /^(oci|oci-archive|docker-archive|dir|tar):/;

/** The values of a kind. Whatever is missing or cannot be read is left out. */
export function findValues(kind: ValueKind, prefix: string, repository: string): Completion {
  switch (kind) {
    case 'files':
    case 'directories':
      return { candidates: pathCandidates(prefix, kind === 'directories'), paths: kind };
    case 'image':
      return starting(prefix, /^@?sha/.test(prefix) ? digests(repository, prefix) : tags(repository));
    case 'tag':
      return starting(prefix, tags(repository));
    case 'layer':
      return starting(prefix, streams(repository, 'oci-layer-'));
    case 'composefs-image':
      return starting(prefix, [...refs(repository, 'images'), ...names(join(repository, 'images')).filter(isHex)]);
    case 'stream':
      return starting(prefix, [...refs(repository, 'streams'), ...streams(repository, '')]);
    case 'registry':
      return starting(prefix, registries(repository));
    case 'source':
      return reference(prefix, SOURCES, repository);
    case 'export-target':
      return reference(prefix, EXPORT_TARGETS, repository);
    case 'push-target':
      return reference(prefix, ['docker://'], repository);
    default:
      return { candidates: [] };
  }
}

function starting(prefix: string, values: readonly string[]): Completion {
  return { candidates: values.filter((value) => value.startsWith(prefix)).map((value) => ({ value })) };
}

/** A transport, and after it what it leads to. */
function reference(prefix: string, transports: readonly string[], repository: string): Completion {
  const transport = transports.find((each) => prefix.startsWith(each));
  if (transport === undefined) return starting(prefix, transports);
  if (transport === 'docker://') {
    const known = tags(repository).map((tag) => tag.replace(/^docker:\/\//, ''));
    const hosts = registries(repository).map((host) => `${host}/`);
    return starting(
      prefix,
      [...new Set([...hosts, ...known.filter(hasHost)])].map((name) => transport + name),
    );
  }
  if (!PATH_TRANSPORT.test(transport)) return { candidates: [] };
  const path = prefix.slice(transport.length);
  const inLayout = transport === 'oci:' ? layoutTags(path) : [];
  const onlyDirectories = transport === 'oci:' || transport === 'dir:';
  const paths = pathCandidates(path, onlyDirectories).map(({ value }) => ({ value: transport + value }));
  return {
    candidates: [
      ...starting(
        prefix,
        inLayout.map((tag) => transport + tag),
      ).candidates,
      ...paths,
    ],
  };
}

/** `DIR:TAG` for the tags of the layout before the colon. */
function layoutTags(path: string): string[] {
  const colon = path.lastIndexOf(':');
  if (colon < 0) return [];
  const directory = path.slice(0, colon);
  return attempt(() => listLayoutTags(directory)).map((tag) => `${directory}:${tag}`);
}

/** The names in a directory that begin as the path does; those of directories end in a slash. */
function pathCandidates(path: string, onlyDirectories: boolean): Candidate[] {
  const directory = path.endsWith('/') ? path : dirname(path);
  const start = path.endsWith('/') || path === '' ? '' : basename(path);
  const shown = path.slice(0, path.length - start.length);
  const place = directory.replace(/^~(?=\/|$)/, homedir());
  return attempt(() => readdirSync(place, { withFileTypes: true }).slice(0, MAX_NAMES))
    .filter(({ name }) => name.startsWith(start) && (start !== '' || !name.startsWith('.')))
    .map((entry) => ({ name: entry.name, isDirectory: isDirectory(join(place, entry.name)) }))
    .filter((entry) => entry.isDirectory || !onlyDirectories)
    .map((entry) => ({ value: `${shown}${entry.name}${entry.isDirectory ? '/' : ''}` }));
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function tags(repository: string): string[] {
  return names(join(repository, 'streams', 'refs', 'oci')).map(decodeTag);
}

/** Of manifests; with `@` if that is how the prefix begins. */
function digests(repository: string, prefix: string): string[] {
  const at = prefix.startsWith('@') ? '@' : '';
  return streams(repository, 'oci-manifest-').map((digest) => at + digest);
}

/** What follows a prefix in the names of streams. */
function streams(repository: string, prefix: string): string[] {
  return names(join(repository, 'streams'))
    .filter((name) => name.startsWith(prefix) && name !== 'refs')
    .map((name) => name.slice(prefix.length));
}

function refs(repository: string, category: string): string[] {
  return names(join(repository, category, 'refs')).map((name) => `refs/${name}`);
}

/** Where there is a login, and where images here are from. */
function registries(repository: string): string[] {
  const logins = attempt(() => listLogins());
  const hosts = tags(repository)
    .map((tag) => tag.replace(/^docker:\/\//, ''))
    .filter(hasHost)
    .map((name) => name.slice(0, name.indexOf('/')));
  return [...new Set([...logins.map((key) => key.replace(/^https?:\/\//, '').replace(/\/.*$/, '')), ...hosts])];
}

function names(directory: string): string[] {
  return attempt(() => readdirSync(directory).slice(0, MAX_NAMES));
}

function isHex(name: string): boolean {
  return /^[0-9a-f]{64,}$/.test(name);
}

function attempt<T>(action: () => readonly T[]): T[] {
  try {
    return [...action()];
  } catch {
    return [];
  }
}
