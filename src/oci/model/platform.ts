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

const HOST_VARIANTS: ReadonlyMap<string, string> = new Map([
  ['arm64', 'v8'],
  ['arm', Reflect.get(process.config.variables, 'arm_version') === '6' ? 'v6' : 'v7'],
]);

/**
 * This machine: always `linux`. On ARM with a variant, as in containers/image: 64 bits are `v8`, and with 32 bits it is the
 * one that Node.js itself was built for, which surely runs here.
 */
export function hostPlatform(nodeArch: string = process.arch): Platform {
  // Node.js says ppc64 for both byte orders; on Linux it exists for the little one only.
  const name = nodeArch === 'ppc64' ? 'ppc64le' : nodeArch;
  const architecture = ALIASES.get(name)?.architecture ?? name;
  const variant = HOST_VARIANTS.get(architecture);
  return { os: 'linux', architecture, ...(variant !== undefined && { variant }) };
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
export function formatPlatform({ os, architecture, variant }: PlatformName): string {
  return variant === undefined || variant === '' ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** What of a platform decides. */
export type PlatformName = Pick<Platform, 'architecture' | 'os' | 'variant'>;

/** The variants of an architecture, each able to run what is for those after it. */
const ARM_VARIANTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['arm', ['v8', 'v7', 'v6', 'v5']],
  ['arm64', ['v8']],
]);

/** The levels of amd64, the least demanding first. */
const AMD64_VARIANTS = ['v1', 'v2', 'v3', 'v4'];

/**
 * How well an image for `offered` serves a request for `wanted`: the smaller the better, undefined for not at all. The
 * order is that of containers/image. Who asks for a variant gets it, else one that runs on the same processor, else an
 * image without one. Who asks for none gets an image without one, else the best of ARM; and, where containers/image
 * would fail, any other, the least demanding first, as the variants are nothing to the reference (spec 40 §4.5).
 */
export function platformRank(wanted: PlatformName, offered: PlatformName): number | undefined {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return undefined;
  const { architecture, variant: wantedVariant = '' } = wanted;
  const order = variantOrder(architecture, wantedVariant);
  const rank = order.indexOf(offered.variant ?? '');
  if (rank >= 0) return rank;
  return wantedVariant === '' ? order.length : undefined;
}

function variantOrder(architecture: string, wanted: string): readonly string[] {
  const known = ARM_VARIANTS.get(architecture) ?? [];
  if (wanted === '') return ['', ...known, ...(architecture === 'amd64' ? AMD64_VARIANTS : [])];
  const position = known.indexOf(wanted);
  return [...(position < 0 ? [wanted] : known.slice(position)), ''];
}
