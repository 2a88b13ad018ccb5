import * as v from 'valibot';
import { MAX_JSON_BYTES } from '../../json/json.js';
import { flag, list, struct, text, textMap } from '../../json/schema.js';
import { type Document, type KeySet, keySet, parseDocument } from './schema.js';

/** How a container of the image runs by default. */
export interface ContainerConfig {
  readonly User?: string;
  readonly ExposedPorts?: KeySet;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: KeySet;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
}

/** A step of the build that made the image; one with `empty_layer` has made no layer. */
export interface HistoryEntry {
  readonly created?: string;
  readonly author?: string;
  readonly created_by?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** An image configuration (spec 40 §2.3). The names are those of the JSON; required text that is missing is empty. */
export interface ImageConfiguration {
  readonly created?: string;
  readonly author?: string;
  readonly architecture: string;
  readonly os: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
  readonly variant?: string;
  readonly config?: ContainerConfig;
  /** `diff_ids` are text as written: stored as keys verbatim, parsed as digests only where content is checked. */
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
  readonly history?: readonly HistoryEntry[];
}

/** An image configuration with the bytes that its digest is of. */
export type ConfigDocument = Document<ImageConfiguration>;

const containerConfig: v.GenericSchema<unknown, ContainerConfig> = struct({
  User: v.nullish(text),
  ExposedPorts: v.nullish(keySet),
  Env: v.nullish(list(text)),
  Entrypoint: v.nullish(list(text)),
  Cmd: v.nullish(list(text)),
  Volumes: v.nullish(keySet),
  WorkingDir: v.nullish(text),
  Labels: v.nullish(textMap),
  StopSignal: v.nullish(text),
});

const historyEntry: v.GenericSchema<unknown, HistoryEntry> = struct({
  created: v.nullish(text),
  author: v.nullish(text),
  created_by: v.nullish(text),
  comment: v.nullish(text),
  empty_layer: v.nullish(flag),
});

const configuration: v.GenericSchema<unknown, ImageConfiguration> = struct({
  created: v.nullish(text),
  author: v.nullish(text),
  // Docker leaves out what is empty.
  architecture: v.nullish(text, ''),
  os: v.nullish(text, ''),
  'os.version': v.nullish(text),
  'os.features': v.nullish(list(text)),
  variant: v.nullish(text),
  config: v.nullish(containerConfig),
  rootfs: struct({ type: v.nullish(text, ''), diff_ids: v.nullish(list(text), []) }),
  history: v.nullish(list(historyEntry)),
});

/**
 * Parses an image configuration, OCI or Docker, of at most 64 MiB. Configs of artifacts need not parse.
 *
 * @throws DocumentError
 */
export function parseConfig(raw: Buffer): ConfigDocument {
  return parseDocument('image configuration', configuration, raw, MAX_JSON_BYTES);
}
