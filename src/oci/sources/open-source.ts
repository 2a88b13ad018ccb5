import { fullMessage, withContext } from '../../errors.js';
import {
  formatImageReference,
  type ImageReference,
  ImageReferenceError,
  parseArchiveRef,
  parseDockerArchiveRef,
  parseImageReference,
  parseOciLayoutRef,
} from '../model/image-reference.js';
import { hostPlatform, type Platform } from '../model/platform.js';
import { formatRegistryReference } from '../registry/reference.js';
import type { RegistrySourceOptions } from '../registry/registry-source.js';
import { DirectorySource } from './directory-source.js';
import { DockerArchive } from './docker-archive.js';
import { DockerArchiveSource } from './docker-archive-source.js';
import { type ImageSource, ImageSourceError } from './image-source.js';
import { LayoutSource } from './layout-source.js';
import { OciArchive } from './oci-archive.js';
import { OciLayout } from './oci-layout.js';

export interface OpenSourceOptions {
  /** Which image of an index. Default: the host's. */
  readonly platform?: Platform | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For images in registries. */
  readonly registry?: Omit<RegistrySourceOptions, 'platform'> | undefined;
}

/**
 * Opens the image that a reference such as `oci:directory:tag` names (spec 40 §4.3). One without a transport is that of
 * an image in a registry.
 *
 * @throws ContextError `Parsing image reference transport` around an ImageReferenceError; ImageSourceError
 *   `UNSUPPORTED_TRANSPORT` with a hint.
 */
export async function openSource(text: string, options: OpenSourceOptions = {}): Promise<ImageSource> {
  const reference = withContext('Parsing image reference transport', () => parseSourceReference(text));
  const platform = options.platform ?? hostPlatform();
  switch (reference.transport) {
    case 'oci': {
      const { path, ...tag } = parseOciLayoutRef(reference.name);
      return new LayoutSource(text, new OciLayout(path), { ...tag, platform });
    }
    case 'oci-archive': {
      const { path, ...tag } = parseArchiveRef(reference.name);
      return new LayoutSource(text, OciArchive.open(path), { ...tag, platform });
    }
    case 'docker-archive': {
      const { path, ...selection } = parseDockerArchiveRef(reference.name);
      const archive = DockerArchive.open(path);
      const image = withContext(`Opening Docker archive ${path}`, () => archive.select(selection));
      return new DockerArchiveSource(text, archive, image, { platform: options.platform, signal: options.signal });
    }
    case 'dir':
      return new DirectorySource(text, reference.name, options.platform);
    case 'registry': {
      const registry = { ...options.registry, platform: options.platform };
      if (!/^(?:docker|registry):/.test(text)) return await openBareName(text, registry);
      // Start-up is quicker without the network.
      const { RegistrySource } = await import('../registry/registry-source.js');
      return await RegistrySource.open(reference.name, registry);
    }
    default:
      throw unsupported(reference);
  }
}

/**
 * Opens the image that a name without a transport means: the first of its meanings that exists, as registries.conf has
 * them.
 */
async function openBareName(name: string, options: RegistrySourceOptions): Promise<ImageSource> {
  const { RegistrySource } = await import('../registry/registry-source.js');
  const { resolveShortName } = await import('../registry/short-name.js');
  const names = resolveShortName(name, options.config).map(formatRegistryReference);
  const failures: unknown[] = [];
  for (const candidate of names) {
    const source = await RegistrySource.open(candidate, options);
    if (names.length === 1) return source;
    try {
      await source.manifest();
      return source;
    } catch (error) {
      await source.close();
      options.signal?.throwIfAborted();
      failures.push(error);
    }
  }
  const reasons = failures.map((error) => fullMessage(error)).join('; ');
  throw new ImageSourceError('SHORT_NAME_NOT_FOUND', `'${name}' is in none of the registries: ${reasons}`, {
    hint: `Name the registry: ${names[0]}`,
  });
}

/** `name[:tag]`: the characters of a registry reference, and none of a transport that somebody else may know. */
const BARE_REFERENCE = /^[A-Za-z0-9][A-Za-z0-9._-]*(?::\d+\/|\/|[:@]|$)(?!\/)[A-Za-z0-9._/:@-]*$/;

/**
 * The reference of an image to read: that of an image in a registry where there is no transport.
 *
 * @throws ImageReferenceError
 */
export function parseSourceReference(text: string): ImageReference {
  try {
    return parseImageReference(text);
  } catch (error) {
    const isOther = text.startsWith('docker:') || !(error instanceof ImageReferenceError);
    if (isOther || !BARE_REFERENCE.test(text)) throw error;
    return { transport: 'registry', name: text };
  }
}

function unsupported(reference: ImageReference): ImageSourceError {
  const shown = formatImageReference(reference);
  return new ImageSourceError('UNSUPPORTED_TRANSPORT', `Cannot read images from '${shown}'`, {
    hint: `Copy the image to a layout directory first: skopeo copy '${shown}' oci:DIRECTORY, then use oci:DIRECTORY.`,
  });
}
