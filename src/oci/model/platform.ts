import { ComposefsError } from '../../errors.js';

/** What an image runs on, in the names of Go: `linux`, `amd64`, and for some architectures a variant such as `v7`. */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
  readonly variant?: string;
}

/** Names of Node.js, the kernel and Debian for architectures that Go names otherwise. */
const ALIASES: ReadonlyMap<string, Pick<Platform, 'architecture' | 'variant'>> = new Map([
  ['x64', { architecture: 'amd64' }],
  ['x86_64', { architecture: 'amd64' }],
  ['x86-64', { architecture: 'amd64' }],
  ['aarch64', { architecture: 'arm64' }],
  ['ia32', { architecture: '386' }],
  ['i386', { architecture: '386' }],
  ['i686', { architecture: '386' }],
  ['armhf', { architecture: 'arm', variant: 'v7' }],
  ['armel', { architecture: 'arm', variant: 'v6' }],
  ['ppc64el', { architecture: 'ppc64le' }],
  ['mipsel', { architecture: 'mipsle' }],
  ['loongarch64', { architecture: 'loong64' }],
]);

/** This machine: always `linux`, and no variant, so that any variant matches. */
export function hostPlatform(nodeArch: string = process.arch): Platform {
  // Node.js says ppc64 for both byte orders; on Linux it exists for the little one only.
  const name = nodeArch === 'ppc64' ? 'ppc64le' : nodeArch;
  return { os: 'linux', architecture: ALIASES.get(name)?.architecture ?? name };
}

/**
 * Parses `os/architecture[/variant]`, or an architecture alone for Linux. Common other names of architectures are
 * taken for Go's.
 *
 * @throws ComposefsError `INVALID_PLATFORM`
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  const valid = parts.length <= 3 && parts.every((part) => /^[A-Za-z0-9_.-]+$/.test(part));
  const [os, name, variant] = parts.length === 1 ? ['linux', parts[0]] : parts;
  if (!valid || os === undefined || name === undefined) {
    throw new ComposefsError('INVALID_PLATFORM', `Invalid platform '${text}'`, {
      hint: 'Write os/architecture or os/architecture/variant, such as linux/arm64 or linux/arm/v7.',
    });
  }
  const alias = ALIASES.get(name.toLowerCase()) ?? { architecture: name.toLowerCase() };
  const base = { os: os.toLowerCase(), ...alias };
  return variant === undefined ? base : { ...base, variant: variant.toLowerCase() };
}

/** `os/architecture[/variant]` */
export function formatPlatform(platform: Platform): string {
  const base = `${platform.os}/${platform.architecture}`;
  return platform.variant === undefined ? base : `${base}/${platform.variant}`;
}

/**
 * Whether an image for `offered` serves a request for `wanted`. The variant counts only where both name one: the host
 * names none (spec 40 §4.5), and images for `arm64` often leave out their only variant, `v8`.
 */
export function matchesPlatform(wanted: Platform, offered: Pick<Platform, 'architecture' | 'os' | 'variant'>): boolean {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return false;
  return wanted.variant === undefined || offered.variant === undefined || wanted.variant === offered.variant;
}
