import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsError, ContextError, errorCode, fullMessage, withContext } from '../../errors.js';
import { findProgram } from '../../linux/find-program.js';
import type { StoreChoice } from '../../storage/index.js';
import { ImageSourceError } from '../blob/blob-error.js';
import type { DownloadSlots } from '../blob/download-slots.js';
import {
  type ImageReference,
  ImageReferenceError,
  parseDockerArchiveRef,
  parseImageReference,
} from '../model/image-reference.js';
import { hostPlatform, type Platform } from '../model/platform.js';
import { formatRegistryReference } from '../model/registry-reference.js';
import { splitForSkopeo, splitLayoutReference } from '../model/split-reference.js';
import type { ProxyOptions } from '../skopeo/proxy-command.js';
import { DirectorySource } from './directory-source.js';
import { DockerArchive } from './docker-archive.js';
import { DockerArchiveSource } from './docker-archive-source.js';
import type { ImageSource } from './image-source.js';
import { LayoutSource } from './layout-source.js';
import { OciArchive } from './oci-archive.js';
import { OciLayout } from './oci-layout.js';
import type { RegistrySourceOptions } from './registry-source.js';

/** A reference, parsed. */
export interface SourceReference extends ImageReference {
  /** Without a transport: what is meant depends on registries.conf. */
  readonly isBare: boolean;
}

/**
 * How the layers of an image in a store of containers/storage become objects: `disabled` reads them with skopeo, as
 * tars; `if-possible` makes reflinks or hard links of the files, or else copies; `zero-copy` fails rather than copies.
 */
export type LocalFetchOpt = 'disabled' | 'if-possible' | 'zero-copy';

export interface OpenSourceOptions {
  /** Which image of an index. Default: the host's. */
  readonly platform?: Platform | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For images in registries. */
  readonly registry?: Omit<RegistrySourceOptions, 'platform'> | undefined;
  /** Read the image with skopeo, whatever its transport is. Without this, only where there is no other way. */
  readonly via?: 'skopeo' | undefined;
  /** Bounds the transfers over the network; one object may serve several images. */
  readonly downloads?: DownloadSlots | undefined;
  /** How layers in a store of containers/storage become objects; `if-possible` by default. */
  readonly localFetch?: LocalFetchOpt | undefined;
  /** Where stores of containers/storage are; by default where podman has them. */
  readonly stores?: StoreChoice | undefined;
  /** Told what the user should know: why there is a pause, what is fetched from elsewhere. */
  readonly message?: ((text: string) => void) | undefined;
  /** What skopeo checks itself; undefined for the policy that it finds. */
  readonly skopeoPolicy?: ProxyOptions['policy'];
}

/**
 * Opens the image that a reference such as `oci:directory:tag` names (spec 40 §4.3).
 *
 * @throws SkopeoError, and what opening a layout, an archive or a store throws
 */
export async function openReference(reference: SourceReference, options: OpenSourceOptions): Promise<ImageSource> {
  if (reference.isBare) return await openBareName(reference.name, options);
  if (options.via === 'skopeo') return await openWithSkopeo(reference, options);
  const { signal } = options;
  const platform = options.platform ?? hostPlatform();
  switch (reference.transport) {
    case 'oci': {
      const { path, ...tag } = splitLayoutReference('oci', reference.name);
      return new LayoutSource(reference, new OciLayout(path), { ...tag, platform });
    }
    case 'oci-archive': {
      const { path, ...tag } = splitLayoutReference('oci-archive', reference.name);
      return new LayoutSource(reference, await OciArchive.open(path, signal), { ...tag, platform });
    }
    case 'docker-archive': {
      const split = splitLayoutReference('docker-archive', reference.name);
      const { path, ...selection } = parseDockerArchiveRef(reference.name, split);
      const archive = await DockerArchive.open(path, signal);
      try {
        const image = withContext(`Opening Docker archive ${path}`, () => archive.select(selection));
        return new DockerArchiveSource(reference.name, archive, image, { platform: options.platform, signal });
      } catch (error) {
        archive.close();
        throw error;
      }
    }
    case 'containers-storage':
      if (options.localFetch === 'disabled') return await openWithSkopeo(reference, options);
      return await openStorage(reference, options);
    case 'dir':
      return new DirectorySource(reference.name, options.platform);
    case 'registry':
      return await openRegistry(reference.name, options);
    default:
      return await openWithSkopeo(reference, options);
  }
}

async function openRegistry(name: string, { registry, platform, downloads }: OpenSourceOptions): Promise<ImageSource> {
  // Start-up is quicker without the network.
  const { RegistrySource } = await import('./registry-source.js');
  return await RegistrySource.open(name, { ...registry, platform, downloads });
}

async function openWithSkopeo(reference: ImageReference, options: OpenSourceOptions): Promise<ImageSource> {
  const { transport, name } = reference;
  if (transport === 'oci' || transport === 'oci-archive' || transport === 'docker-archive') {
    splitForSkopeo(transport, name);
  }
  const { SkopeoSource } = await import('./skopeo-source.js');
  const { platform, signal, skopeoPolicy: policy, registry, downloads } = options;
  return await SkopeoSource.open(reference, { platform, signal, policy, config: registry?.config, downloads });
}

async function openStorage(reference: ImageReference, options: OpenSourceOptions): Promise<ImageSource> {
  const { StorageSource } = await import('./storage-source.js');
  const { platform, signal, registry, downloads, message, localFetch, stores } = options;
  const zeroCopy = localFetch === 'zero-copy';
  const config = registry?.config;
  const openBySkopeo = (): Promise<ImageSource> => openWithSkopeo(reference, options);
  const own = { platform, signal, registry, downloads, config, message, stores, zeroCopy, openBySkopeo };
  try {
    return await StorageSource.open(reference, own);
  } catch (error) {
    // Only for a driver that others know: what is no store skopeo would make one of.
    if (errorCode(error) !== 'STORE_DRIVER_UNSUPPORTED' || zeroCopy || findProgram('skopeo') === undefined) throw error;
    message?.(`${fullMessage(error)}; reading the image with skopeo`);
    return await openBySkopeo();
  }
}

/** {@link openShortName}. Where nothing is found, and there is such a file, it may be what was meant. */
async function openBareName(name: string, options: OpenSourceOptions): Promise<ImageSource> {
  const hint = pathHint(name);
  if (hint === undefined) return await openShortName(name, options);
  let source: ImageSource | undefined;
  try {
    source = await openShortName(name, options);
    await source.manifest();
    return source;
  } catch (error) {
    await source?.close();
    options.signal?.throwIfAborted();
    throw new ContextError(`'${name}' is taken as the name of an image in a registry`, error, hint);
  }
}

/**
 * Opens the image that a name without a transport means: the first of its meanings that exists, as registries.conf has
 * them.
 */
async function openShortName(name: string, options: OpenSourceOptions): Promise<ImageSource> {
  const { resolveShortName } = await import('../containers-config/short-name.js');
  const config = options.registry?.config;
  const names = resolveShortName(name, config).map(formatRegistryReference);
  if (names.length > 1 && config?.credentials !== undefined && config.credentials.host === undefined) {
    throw new ComposefsError('AMBIGUOUS_SHORT_NAME', `'${name}' may be ${names.join(' or ')}`, {
      hint: `The given credentials are for one registry only. Name it: ${names[0]}`,
    });
  }
  const failures: unknown[] = [];
  for (const candidate of names) {
    let source: ImageSource | undefined;
    try {
      source = await openComplete(candidate, options);
      if (names.length > 1) await source.manifest();
      return source;
    } catch (error) {
      await source?.close();
      options.signal?.throwIfAborted();
      if (names.length === 1) throw error;
      failures.push(error);
    }
  }
  const reasons = failures.map((error) => fullMessage(error)).join('; ');
  throw new ImageSourceError('SHORT_NAME_NOT_FOUND', `'${name}' is in none of the registries: ${reasons}`, {
    hint: `Name the registry: ${names[0]}`,
  });
}

async function openComplete(name: string, options: OpenSourceOptions): Promise<ImageSource> {
  return options.via === 'skopeo'
    ? await openWithSkopeo({ transport: 'registry', name }, options)
    : await openRegistry(name, options);
}

/**
 * The name of an image without a transport: the characters of a registry reference. A colon behind the first component is
 * that of a port: `debian:12` has the form of a transport and a name, and is not looked for in a registry.
 */
const BARE_REFERENCE = /^[A-Za-z0-9][A-Za-z0-9._-]*(?::\d+\/|\/|@|$)(?!\/)[A-Za-z0-9._/:@-]*$/;

/**
 * The reference of an image to read: that of an image in a registry where there is no transport.
 *
 * @throws ContextError `Parsing image reference transport` around an ImageReferenceError
 */
export function parseSourceReference(text: string): SourceReference {
  return withContext('Parsing image reference transport', () => parseWithOrWithoutTransport(text));
}

/** Of a path without a transport: what is there. */
function pathHint(path: string): string | undefined {
  if (existsSync(join(path, 'index.json'))) return `It is an OCI layout: oci:${path}[:TAG].`;
  if (existsSync(join(path, 'manifest.json'))) return `It is a directory of skopeo: dir:${path}.`;
  if (!existsSync(path) || existsSync(`${path}/.`)) return undefined;
  return `If it is an archive: oci-archive:${path}, or docker-archive:${path} if 'docker save' has made it.`;
}

function parseWithOrWithoutTransport(text: string): SourceReference {
  try {
    return { ...parseImageReference(text), isBare: false };
  } catch (error) {
    const isOther = text.startsWith('docker:') || !(error instanceof ImageReferenceError);
    if (!isOther && BARE_REFERENCE.test(text)) return { transport: 'registry', name: text, isBare: true };
    const hasTag = !isOther && /^[A-Za-z0-9][A-Za-z0-9._-]*:[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(text);
    if (hasTag) throw new ImageReferenceError(error.message, `An image in a registry is docker://${text}.`);
    const hint = isOther || text.includes(':') ? undefined : pathHint(text);
    throw hint === undefined ? error : new ImageReferenceError(fullMessage(error), hint);
  }
}
