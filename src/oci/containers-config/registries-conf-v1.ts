import * as v from 'valibot';
import { list, struct, text } from '../../json/schema.js';

/** `[registries.search]` and its like: the sections of registries.conf(5), version 1. */
export interface Version1Tables {
  readonly search?: Section;
  readonly insecure?: Section;
  readonly block?: Section;
}

interface Section {
  readonly registries?: readonly string[];
}

const section = v.nullish(struct({ registries: v.nullish(list(text)) }));

export const version1Tables: v.GenericSchema<unknown, Version1Tables> = struct({
  search: section,
  insecure: section,
  block: section,
});

/** The settings of version 2 that say the same. */
export interface FromVersion1 {
  readonly registry: { readonly location: string; readonly insecure: boolean; readonly blocked: boolean }[];
  readonly 'unqualified-search-registries': string[];
}

/** Undefined where all sections are empty, as files of version 2 may have them. */
export function convertVersion1({ search, insecure, block }: Version1Tables): FromVersion1 | undefined {
  const isInsecure = new Set(insecure?.registries);
  const isBlocked = new Set(block?.registries);
  const locations = new Set([...isBlocked, ...isInsecure]);
  const searched = [...(search?.registries ?? [])];
  if (searched.length === 0 && locations.size === 0) return undefined;
  return {
    registry: [...locations].map((location) => ({
      location,
      insecure: isInsecure.has(location),
      blocked: isBlocked.has(location),
    })),
    'unqualified-search-registries': searched,
  };
}
