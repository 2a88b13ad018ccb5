import * as v from 'valibot';
import { MAX_MANIFEST_BYTES, parseJson } from '../../json/json.js';
import { RegistryError } from '../model/registry-error.js';
import type { RegistryClient } from './client.js';

const MAX_SHOWN = 10;

const tagList = v.object({ tags: v.nullish(v.array(v.string())) });

/**
 * The error of a manifest that a registry does not have, with what may help: the tags that there are, those that begin
 * like the wanted one first. Other errors as they are.
 */
export async function explainMissing(
  error: unknown,
  client: RegistryClient,
  tag: string | undefined,
): Promise<unknown> {
  if (!(error instanceof RegistryError) || error.status !== 404) return error;
  const { code, message, status, cause } = error;
  const hint = await hintFor(client, tag);
  return new RegistryError(code, message, { status, cause, hint });
}

async function hintFor(client: RegistryClient, tag: string | undefined): Promise<string> {
  const tags = await listTags(client).catch(() => undefined);
  if (tags === undefined) return 'Check the name of the image: docker://HOST[:PORT]/NAME[:TAG].';
  if (tag === undefined) return 'Check the digest; the registry may have removed the image.';
  if (tags.length === 0) return 'There are no tags; name the image by its digest: NAME@sha256:…';
  const start = tag.slice(0, 1);
  const likely = [...tags.filter((each) => each.startsWith(start)), ...tags.filter((each) => !each.startsWith(start))];
  const more = tags.length > MAX_SHOWN ? ', …' : '';
  return `Choose another tag; there are: ${likely.slice(0, MAX_SHOWN).join(', ')}${more}`;
}

/** The first page of them. */
async function listTags(client: RegistryClient): Promise<readonly string[]> {
  return await client.get('tags/list?n=1000', { accept: 'application/json' }, async (response) => {
    const { tags } = v.parse(tagList, parseJson(await response.document(MAX_MANIFEST_BYTES)));
    return (tags ?? []).filter((tag) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(tag));
  });
}
