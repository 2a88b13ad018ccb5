import { isJsonObject, type JsonValue, parseJson } from '../../json/json.js';
import { type ConfigDocument, type ImageConfiguration, parseConfig } from './config.js';

/**
 * Turns the config of a Docker image into an OCI one, as containers/image does where it converts an image: Docker's own
 * fields go, the others are written anew. Bytes, and so the digest, are those that skopeo gives (1.14 and newer; older
 * ones put `variant` before `os`).
 *
 * @throws DocumentError
 */
export function convertDockerConfig(raw: Buffer): ConfigDocument {
  const { value } = parseConfig(raw);
  return parseConfig(Buffer.from(toGoJson({ ...value, config: containerConfig(value, raw) }, IMAGE)));
}

/** OCI has a field more than we have a use for. */
function containerConfig({ config = {} }: ImageConfiguration, raw: Buffer): object {
  const argsEscaped = member(member(parseJson(raw), 'config'), 'ArgsEscaped');
  return argsEscaped === true ? { ...config, ArgsEscaped: true } : config;
}

function member(value: JsonValue | undefined, key: string): JsonValue | undefined {
  return isJsonObject(value) ? value[key] : undefined;
}

/** How a field is written; undefined leaves it out. */
type FieldWriter = (value: unknown) => string | undefined;
type Fields = readonly (readonly [name: string, write: FieldWriter])[];

const required: FieldWriter = (value) => quote(String(value));
const text: FieldWriter = (value) => (value === '' ? undefined : quote(String(value)));
const flag: FieldWriter = (value) => (value === true ? 'true' : undefined);
const time: FieldWriter = (value) => quote(goTime(String(value)));
const texts: FieldWriter = (value) => (isEmpty(value) ? undefined : array(value, required));
const map =
  (write: (value: unknown) => string): FieldWriter =>
  (value) => {
    const entries = Object.entries(value ?? {}).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    if (entries.length === 0) return undefined;
    return `{${entries.map(([key, item]) => `${quote(key)}:${write(item)}`).join(',')}}`;
  };
const keySet = map(() => '{}');

/** The fields of the image specification 1.1, in the order of its Go structures. */
const CONTAINER: Fields = [
  ['User', text],
  ['ExposedPorts', keySet],
  ['Env', texts],
  ['Entrypoint', texts],
  ['Cmd', texts],
  ['Volumes', keySet],
  ['WorkingDir', text],
  ['Labels', map((value) => quote(String(value)))],
  ['StopSignal', text],
  ['ArgsEscaped', flag],
];

const HISTORY: Fields = [
  ['created', time],
  ['created_by', text],
  ['author', text],
  ['comment', text],
  ['empty_layer', flag],
];

const ROOTFS: Fields = [
  ['type', required],
  ['diff_ids', (value) => array(value, required)],
];

const IMAGE: Fields = [
  ['created', time],
  ['author', text],
  ['architecture', required],
  ['os', required],
  ['os.version', text],
  ['os.features', texts],
  ['variant', text],
  ['config', (value) => toGoJson(value, CONTAINER)],
  ['rootfs', (value) => toGoJson(value, ROOTFS)],
  ['history', (value) => (isEmpty(value) ? undefined : array(value, (item) => toGoJson(item, HISTORY)))],
];

function toGoJson(value: unknown, fields: Fields): string {
  const source = new Map(Object.entries(value ?? {}));
  const written = fields.flatMap(([name, write]) => {
    const field = source.get(name);
    const json = field === undefined ? undefined : write(field);
    return json === undefined ? [] : [`${quote(name)}:${json}`];
  });
  return `{${written.join(',')}}`;
}

function array(value: unknown, write: FieldWriter): string {
  return `[${(Array.isArray(value) ? value : []).map(write).join(',')}]`;
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Go's encoder escapes what HTML and JavaScript give a meaning. */
function quote(value: string): string {
  const escapeUnit = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, escapeUnit);
}

const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/;

/** Go reads nanoseconds, and writes no zeros at the end of a fraction. Another text is left as it is. */
function goTime(value: string): string {
  const match = RFC3339.exec(value);
  if (match === null) return value;
  const [, seconds, digits = '', zone = 'Z'] = match;
  const fraction = digits.slice(0, 9).replace(/0+$/, '');
  const isUtc = zone === '+00:00' || zone === '-00:00';
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}${isUtc ? 'Z' : zone}`;
}
