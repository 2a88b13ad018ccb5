import { ComposefsError } from '../../errors.js';
import { type JsonObject, type JsonValue, parseJson } from '../../json/json.js';
import { anyObject, exactObject, FieldError } from './exact-object.js';
import { scopeFault } from './policy-scope.js';
import { parseSignedIdentity, type SignedIdentity } from './signed-identity.js';

/** The public keys of a `sigstoreSigned` requirement: any of them will do. */
export interface KeySource {
  readonly paths: readonly string[];
  /** PEM. */
  readonly data: readonly Buffer[];
}

/** One requirement of containers-policy.json(5). */
export type Requirement =
  | { readonly type: 'insecureAcceptAnything' }
  | { readonly type: 'reject' }
  | { readonly type: 'sigstoreSigned'; readonly keys: KeySource; readonly signedIdentity: SignedIdentity }
  /** A valid one that cannot be checked here: it is never met. */
  | { readonly type: 'unsupported'; readonly what: string };

/** All of them must be met; there is at least one. */
export type Requirements = readonly Requirement[];

/** A policy.json: which images are accepted. */
export interface Policy {
  readonly default: Requirements;
  /** By transport and scope. The scope `` is the default of the transport. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, Requirements>>;
  /** The file, for messages. */
  readonly origin: string;
}

/** Code `INVALID_POLICY`. The message names the file and the place in it. */
export class PolicyFormatError extends ComposefsError {
  constructor(origin: string, reason: string) {
    super('INVALID_POLICY', `The signature policy ${origin} is not valid: ${reason}`);
  }
}

const MAX_POLICY_BYTES = 16 << 20;
const KEY_FIELDS = ['keyPath', 'keyPaths', 'keyData', 'keyDatas'] as const;
/** Valid, but not checked here: certificates and transparency logs. */
const LOG_FIELDS = [
  'fulcio',
  'pki',
  'rekorPublicKeyPath',
  'rekorPublicKeyPaths',
  'rekorPublicKeyData',
  'rekorPublicKeyDatas',
] as const;

/**
 * Parses a policy strictly: what is unknown, doubled or of the wrong type makes the whole policy invalid.
 *
 * @throws PolicyFormatError
 */
export function parsePolicy(bytes: Uint8Array, origin: string): Policy {
  try {
    const document = exactObject('the policy', parseJson(bytes, MAX_POLICY_BYTES), ['default'], ['transports']);
    const { default: fallback, transports = {} } = document;
    const entries = Object.entries(anyObject("'transports'", transports));
    return {
      default: parseRequirements("'default'", fallback),
      transports: new Map(entries.map(([name, scopes]) => [name, parseScopes(name, scopes)])),
      origin,
    };
  } catch (error) {
    if (error instanceof ComposefsError) throw new PolicyFormatError(origin, error.message);
    throw error;
  }
}

function parseScopes(transport: string, value: JsonValue): ReadonlyMap<string, Requirements> {
  const scopes = Object.entries(anyObject(`transport '${transport}'`, value));
  return new Map(
    scopes.map(([scope, requirements]) => {
      const where = `scope '${scope}' of transport '${transport}'`;
      const fault = scopeFault(transport, scope);
      if (fault !== undefined) throw new FieldError(`${where}: ${fault}`);
      return [scope, parseRequirements(where, requirements)];
    }),
  );
}

function parseRequirements(where: string, value: JsonValue | undefined): Requirements {
  if (!Array.isArray(value)) throw new FieldError(`${where} is not an array`);
  if (value.length === 0) throw new FieldError(`${where} has no requirements`);
  return value.map((item: JsonValue, i) => parseRequirement(`requirement ${i + 1} of ${where}`, item));
}

function parseRequirement(where: string, value: JsonValue): Requirement {
  const { type = null } = anyObject(where, value);
  switch (type) {
    case 'insecureAcceptAnything':
    case 'reject':
      exactObject(where, value, ['type']);
      return { type };
    case 'sigstoreSigned':
      return parseSigstoreSigned(where, value);
    case 'signedBy':
    case 'signedBaseLayer':
      return { type: 'unsupported', what: `signatures of the type '${type}'` };
    default:
      throw new FieldError(
        typeof type === 'string' ? `${where} has the unknown type '${type}'` : `${where} has no type`,
      );
  }
}

function parseSigstoreSigned(where: string, value: JsonValue): Requirement {
  const fields = exactObject(where, value, ['type'], ['signedIdentity', ...KEY_FIELDS, ...LOG_FIELDS]);
  const { signedIdentity } = fields;
  const unsupported = LOG_FIELDS.find((name) => fields[name] !== undefined);
  if (unsupported !== undefined) return { type: 'unsupported', what: `sigstore signatures with '${unsupported}'` };
  const given = KEY_FIELDS.filter((name) => fields[name] !== undefined);
  if (given.length !== 1) throw new FieldError(`${where} needs exactly one of ${KEY_FIELDS.join(', ')}`);
  const data = [...texts(where, fields, 'keyData'), ...texts(where, fields, 'keyDatas')];
  return {
    type: 'sigstoreSigned',
    keys: {
      paths: [...texts(where, fields, 'keyPath'), ...texts(where, fields, 'keyPaths')],
      data: data.map((text) => decodeKey(where, text)),
    },
    signedIdentity: parseSignedIdentity(`signedIdentity of ${where}`, signedIdentity),
  };
}

/** The text of a field, or the texts of one whose name is in the plural; none if it is absent. */
function texts(where: string, fields: JsonObject, name: (typeof KEY_FIELDS)[number]): readonly string[] {
  const field = fields[name];
  if (field === undefined) return [];
  const list = name.endsWith('s') ? field : [field];
  if (isTextList(list) && list.length > 0) return list;
  throw new FieldError(`'${name}' of ${where} is not text`);
}

function isTextList(value: JsonValue): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '');
}

function decodeKey(where: string, text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') === text) return bytes;
  throw new FieldError(`a key of ${where} is not base64`);
}
