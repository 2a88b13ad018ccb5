import { MAX_MANIFEST_BYTES } from '../../json/json.js';
import type { Descriptor } from '../model/descriptor.js';
import { digestAlgorithm, digestEncoded, type OciDigest } from '../model/digest.js';
import { parseIndex } from '../model/index-document.js';
import { OCI_INDEX } from '../model/media-types.js';
import { displayUrl, RegistryError } from '../model/registry-error.js';
import type { RegistryClient } from './client.js';
import { answerer } from './status-error.js';

const MAX_PAGES = 100;
const MAX_REFERRERS = 10_000;
/** All pages together. */
const MAX_LIST_BYTES = 4 * MAX_MANIFEST_BYTES;

/**
 * The manifests that have `subject` as their subject: by the referrers API, or where a registry does not have that, by
 * the tag that clients keep instead (OCI distribution specification, "Listing Referrers"). None is no error.
 */
export async function fetchReferrers(client: RegistryClient, subject: OciDigest): Promise<readonly Descriptor[]> {
  try {
    return await fromApi(client, subject);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    const { raw, kind } = await client.manifest(referrersTag(subject));
    return kind === 'index' ? parseIndex(raw, MAX_MANIFEST_BYTES).value.manifests : [];
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** `sha256-<hex>`: the digest with the bounds of a tag. */
export function referrersTag(subject: OciDigest): string {
  return `${digestAlgorithm(subject).slice(0, 32)}-${digestEncoded(subject).slice(0, 64)}`;
}

async function fromApi(client: RegistryClient, subject: OciDigest): Promise<readonly Descriptor[]> {
  const found = new Map<OciDigest, Descriptor>();
  let path: string | undefined = `referrers/${subject}`;
  let bytes = 0;
  for (let page = 0; path !== undefined; page++) {
    if (page === MAX_PAGES || found.size > MAX_REFERRERS || bytes > MAX_LIST_BYTES) {
      throw new RegistryError('BAD_RESPONSE', `The list of referrers of ${subject} does not end`);
    }
    const answer: { descriptors: readonly Descriptor[]; next: string | undefined } = await client.get(
      path,
      { accept: OCI_INDEX },
      async (response) => {
        const raw = await response.document(MAX_MANIFEST_BYTES);
        bytes += raw.length;
        const { value } = parseIndex(raw, MAX_MANIFEST_BYTES);
        return { descriptors: value.manifests, next: nextPage(response.headers['link'], subject, answerer(response)) };
      },
    );
    for (const descriptor of answer.descriptors) found.set(descriptor.digest, descriptor);
    path = answer.next;
  }
  return [...found.values()];
}

/** The path of `Link: <…>; rel="next"`, if it is a page of the same list; only its query is taken over. */
function nextPage(link: string | readonly string[] | undefined, subject: OciDigest, where: string): string | undefined {
  const text = typeof link === 'string' ? link : link?.join(', ');
  const target = /<([^<>]{1,4096})>\s*;[^<]*\brel="?next"?/i.exec(text ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, where)) return undefined;
  const url = new URL(target, where);
  if (!url.pathname.endsWith(`/referrers/${subject}`)) {
    throw new RegistryError('BAD_RESPONSE', `The list of referrers goes on at another place: ${displayUrl(url)}`);
  }
  return `referrers/${subject}${url.search}`;
}

function isMissing(error: unknown): boolean {
  return error instanceof RegistryError && error.status === 404;
}
