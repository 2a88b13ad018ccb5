export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

/** What an argument or the value of an option can be. */
export type ValueKind =
  | 'image'
  | 'tag'
  | 'layer'
  | 'composefs-image'
  | 'stream'
  | 'source'
  | 'export-target'
  | 'push-target'
  | 'registry'
  | 'verb'
  | 'files'
  | 'directories'
  | 'nothing';

/** Of one verb's argument. */
const ARGUMENTS: ReadonlyMap<string, ValueKind> = new Map([
  ['oci pull IMAGE', 'source'],
  ['oci pull NAME', 'tag'],
  ['oci export TARGET', 'export-target'],
  ['oci push TARGET', 'push-target'],
  ['oci login REGISTRY', 'registry'],
  ['oci logout REGISTRY', 'registry'],
  ['oci layer LAYER', 'layer'],
  ['oci tag IMAGE', 'image'],
  ['oci tag NAME', 'tag'],
  ['oci untag NAME', 'tag'],
  ['oci fsck IMAGE', 'image'],
  ['oci dump CONFIG_NAME', 'image'],
  ['oci compute-id CONFIG_NAME', 'image'],
  ['oci prepare-boot CONFIG_NAME', 'image'],
  ['oci linked-erofs-images VERITY', 'composefs-image'],
  ['oci diff A', 'image'],
  ['oci diff B', 'image'],
  ['oci ls PATH', 'nothing'],
  ['oci cat PATH', 'nothing'],
  ['oci extract PATH', 'nothing'],
  ['mount NAME', 'composefs-image'],
  ['image-objects NAME', 'composefs-image'],
  ['dump-files IMAGE_NAME', 'composefs-image'],
  ['dump-files FILES', 'nothing'],
  ['cat NAME', 'stream'],
]);

/** Of any argument of that name. */
const NAMED: ReadonlyMap<string, ValueKind> = new Map([
  ['IMAGE', 'image'],
  ['COMMAND', 'verb'],
  ['MOUNTPOINT', 'directories'],
  ['PATH', 'files'],
  ['DEST', 'files'],
  ['FILE', 'files'],
]);

/** @param verb such as `oci pull`. */
export function argumentKind(verb: string, argument: string): ValueKind {
  if (verb === 'unshare') return 'files';
  return ARGUMENTS.get(`${verb} ${argument}`) ?? NAMED.get(argument) ?? 'nothing';
}

const DIRECTORY_VALUES: ReadonlySet<string> = new Set(['DIR', 'DIRECTORY', 'REPO', 'UPPERDIR', 'WORKDIR', 'BOOTDIR']);
const FILE_VALUES: ReadonlySet<string> = new Set(['FILE', 'PATH']);

/** @param flags such as `--authfile <FILE>`. */
export function optionKind(flags: string): ValueKind {
  const name = /<([A-Z]+)>/.exec(flags)?.[1] ?? '';
  if (DIRECTORY_VALUES.has(name)) return 'directories';
  return FILE_VALUES.has(name) ? 'files' : 'nothing';
}
