import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { ComposefsError, withContext } from '../../errors.js';
import { NAME_MAX } from '../../linux/constants.js';
import { type OciDigest, parseOciDigest } from '../model/digest.js';
import { decodeTag, encodeTag, validateTag } from '../model/tag.js';
import type { ContentAndVerity } from './content-and-verity.js';
import { LIST_TAGS_HINT, OciImageNotFound, OciRefNotFound } from './errors.js';
import { MANIFEST_STREAM_PREFIX, manifestIdentifier, OCI_REF_PREFIX } from './identifiers.js';

export { validateTag };

/** The stream ref of a tag. */
export function tagRef(tag: string): string {
  return OCI_REF_PREFIX + encodeTag(tag);
}

/** The tag that a path in the repository is; undefined if it is another reference, or something else. */
export function tagOfRef(path: string): string | undefined {
  const prefix = `streams/refs/${OCI_REF_PREFIX}`;
  const encoded = path.startsWith(prefix) ? path.slice(prefix.length) : '';
  return encoded === '' || encoded.includes('/') ? undefined : decodeTag(encoded);
}

/**
 * Points a tag at a stored manifest, replacing what it pointed at, and makes that last.
 *
 * @throws OciImageNotFound if the manifest is not in the repository.
 */
export async function tagImage(repo: Repository, manifestDigest: OciDigest, tag: string): Promise<void> {
  validateTag(tag);
  await repo.hold(async () => {
    repo.ensureWritable();
    const identifier = manifestIdentifier(manifestDigest);
    const verity = repo.hasStream(identifier);
    // A tag that leads nowhere would stand in the way of others.
    if (verity === undefined || !repo.objects.has(verity)) throw new OciImageNotFound(manifestDigest);
    repo.nameStream(identifier, tagRef(tag));
    await repo.syncNames();
  });
}

/** Removes a tag. What it pointed at goes with the next garbage collection, if nothing else keeps it. */
export async function untagImage(repo: Repository, tag: string): Promise<void> {
  await untagImages(repo, [tag]);
}

/** {@link untagImage} of several tags. */
export async function untagImages(repo: Repository, tags: readonly string[]): Promise<void> {
  await repo.hold(async () => {
    repo.ensureWritable();
    for (const tag of tags) {
      withContext(`Failed to remove tag ${tag}`, () => repo.root.unlink(tagPath(tag)), { ENOENT: LIST_TAGS_HINT });
    }
    await repo.sync();
  });
}

/** When a tag was made, or pointed elsewhere, in milliseconds since the epoch; undefined if there is no such tag. */
export function tagTime(repo: ReadableRepository, tag: string): number | undefined {
  return repo.root.lstat(tagPath(tag))?.mtimeMs;
}

/**
 * The manifest that a tag points at.
 *
 * @throws OciRefNotFound if there is no such tag; ComposefsError if it points nowhere or at something else.
 */
export function resolveRef(repo: ReadableRepository, tag: string): ContentAndVerity {
  const path = tagPath(tag);
  const target = withContext(`Reference ${tag} not found`, () => repo.root.readLink(path)?.toString());
  if (target === undefined) throw new OciRefNotFound(tag);
  const component = lastComponent(target);
  if (!component.startsWith(MANIFEST_STREAM_PREFIX)) {
    throw new ComposefsError('INVALID_REF', `Invalid manifest reference: ${component}`);
  }
  const digest = manifestDigestOf(component);
  if (digest === undefined) {
    const rest = component.slice(MANIFEST_STREAM_PREFIX.length);
    throw new ComposefsError('INVALID_REF', `Invalid OCI digest in reference: ${rest}`);
  }
  const verity = repo.hasStream(component);
  if (verity === undefined) {
    throw new ComposefsError('OCI_IMAGE_NOT_FOUND', `Manifest ${digest} not found`, {
      hint: `the tag ${tag} points nowhere: pull the image again, or remove the tag with \`cfsctl oci untag\``,
    });
  }
  return [digest, verity];
}

/** Whether there is such a tag, wherever it leads. */
export function hasTag(repo: ReadableRepository, tag: string): boolean {
  const encoded = encodeTag(tag);
  const isName = isFileName(encoded) && Buffer.byteLength(encoded) <= NAME_MAX;
  return isName && repo.root.lstat(tagPath(tag)) !== undefined;
}

/** All tags with their manifests, by name. Refs that do not point at a manifest are left out; dangling ones are not. */
export function listRefs(repo: ReadableRepository): [tag: string, digest: OciDigest][] {
  const tags: [string, OciDigest][] = [];
  for (const [name, target] of repo.listStreamRefs('oci')) {
    const digest = manifestDigestOf(lastComponent(target));
    if (digest !== undefined) tags.push([decodeTag(name), digest]);
  }
  return tags.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** @throws OciRefNotFound for what cannot be a tag: as a path it would name something else. */
function tagPath(tag: string): string {
  const encoded = encodeTag(tag);
  if (!isFileName(encoded)) throw new OciRefNotFound(tag);
  return `streams/refs/${OCI_REF_PREFIX}${encoded}`;
}

function isFileName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[\0\p{Surrogate}]/u.test(name);
}

function lastComponent(target: string): string {
  return target.slice(target.lastIndexOf('/') + 1);
}

/** The manifest that an entry in `streams/` is; undefined if it is something else. */
export function manifestDigestOf(identifier: string): OciDigest | undefined {
  if (!identifier.startsWith(MANIFEST_STREAM_PREFIX)) return undefined;
  try {
    return parseOciDigest(identifier.slice(MANIFEST_STREAM_PREFIX.length));
  } catch {
    return undefined;
  }
}
