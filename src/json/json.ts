import { ComposefsError } from '../errors.js';

/**
 * A JSON value as written: integers are bigints and never rounded, numbers with a fraction or an exponent are numbers.
 * Objects have no prototype, so that any key, `__proto__` too, is an ordinary one.
 */
export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Bounds for memory (spec 40, H-8). Manifests and indexes: the convention of registries. */
export const MAX_MANIFEST_BYTES: number = 4 << 20;
export const MAX_JSON_BYTES: number = 64 << 20;

const MAX_DEPTH = 128;
/** Real documents have some thousands; without a bound 64 MiB of `[[],[],…]` would take gigabytes of heap. */
const MAX_VALUES = 1_000_000;
/** Longer integers do not fit 64 bits by far, and reading them exactly would take quadratic time. */
const MAX_INTEGER_CHARS = 40;

/** Code `INVALID_JSON`, or `JSON_TOO_LARGE` when a bound is exceeded. */
export class JsonError extends ComposefsError {}

/**
 * Parses one JSON document strictly: valid UTF-8 without a byte order mark, nothing after the value but white space, no
 * key twice in one object, no unpaired surrogates. `JSON.parse` would accept the last two and round integers, so that
 * two readers of the same signed bytes could see different documents.
 *
 * @throws JsonError naming the character offset.
 */
export function parseJson(bytes: Uint8Array, maxBytes: number = MAX_JSON_BYTES): JsonValue {
  if (bytes.length > maxBytes) {
    throw new JsonError('JSON_TOO_LARGE', `JSON document of ${bytes.length} bytes exceeds the limit of ${maxBytes}`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new JsonError('INVALID_JSON', 'JSON document is not valid UTF-8', { cause });
  }
  return new Parser(text).document();
}

class Parser {
  readonly #text: string;
  #position = 0;
  #values = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#skipSpace();
    if (this.#position < this.#text.length) throw this.#invalid('unexpected text after the document');
    return value;
  }

  #value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) throw this.#tooLarge(`nesting deeper than ${MAX_DEPTH}`);
    if (++this.#values > MAX_VALUES) throw this.#tooLarge(`more than ${MAX_VALUES} values`);
    this.#skipSpace();
    switch (this.#text[this.#position]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      case 't':
        return this.#literal('true', true);
      case 'f':
        return this.#literal('false', false);
      case 'n':
        return this.#literal('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    const object: Record<string, JsonValue> = Object.create(null);
    this.#position++;
    if (this.#accept('}')) return object;
    do {
      this.#skipSpace();
      if (this.#text[this.#position] !== '"') throw this.#invalid('expected a key');
      const key = this.#string();
      if (Object.hasOwn(object, key)) throw this.#invalid(`duplicate key ${JSON.stringify(key)}`);
      if (!this.#accept(':')) throw this.#invalid("expected ':'");
      object[key] = this.#value(depth + 1);
    } while (this.#accept(','));
    if (!this.#accept('}')) throw this.#invalid("expected ',' or '}'");
    return object;
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = [];
    this.#position++;
    if (this.#accept(']')) return array;
    do {
      array.push(this.#value(depth + 1));
    } while (this.#accept(','));
    if (!this.#accept(']')) throw this.#invalid("expected ',' or ']'");
    return array;
  }

  #string(): string {
    const start = this.#position;
    let escaped = false;
    for (;;) {
      const code = this.#text.charCodeAt(++this.#position);
      if (Number.isNaN(code)) throw this.#invalid('unterminated string');
      if (code < 0x20) throw this.#invalid('control character in a string');
      if (code === 0x22) break;
      if (code === 0x5c) {
        escaped = true;
        this.#position++;
      }
    }
    this.#position++;
    if (!escaped) return this.#text.slice(start + 1, this.#position - 1);
    return this.#unescape(this.#text.slice(start, this.#position));
  }

  #unescape(literal: string): string {
    let value: unknown;
    try {
      value = JSON.parse(literal);
    } catch {
      throw this.#invalid('invalid escape in the string that ends');
    }
    if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) {
      throw this.#invalid('unpaired surrogate in the string that ends');
    }
    return value;
  }

  #number(): number | bigint {
    const match = matchAt(/-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y, this.#text, this.#position);
    if (match === null) throw this.#invalid('expected a value');
    const literal = match[0];
    const integer = match[1] === undefined && match[2] === undefined && literal !== '-0';
    this.#position += literal.length;
    if (integer && literal.length <= MAX_INTEGER_CHARS) return BigInt(literal);
    const value = Number(literal);
    if (!Number.isFinite(value)) throw this.#invalid('number out of range');
    return value;
  }

  #literal<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#position)) throw this.#invalid('expected a value');
    this.#position += word.length;
    return value;
  }

  #accept(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#position] !== character) return false;
    this.#position++;
    return true;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#position);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#position++;
    }
  }

  #invalid(what: string): JsonError {
    return new JsonError('INVALID_JSON', `invalid JSON: ${what} at offset ${this.#position}`);
  }

  #tooLarge(what: string): JsonError {
    return new JsonError('JSON_TOO_LARGE', `JSON document is too large: ${what} at offset ${this.#position}`);
  }
}

function matchAt(sticky: RegExp, text: string, position: number): RegExpExecArray | null {
  sticky.lastIndex = position;
  return sticky.exec(text);
}
