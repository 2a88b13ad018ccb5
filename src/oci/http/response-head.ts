import { HttpSyntaxError, LineReader } from './http-syntax.js';

/** By lower-case name. Of a field that came several times the values are joined with `, `. */
export type HttpHeaders = Readonly<NodeJS.Dict<string>>;

/** How the end of a body is known: by its length, by its last chunk, or by the end of the connection. */
export type BodyFraming =
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

export interface ResponseHead {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly framing: BodyFraming;
  /** Whether another request may follow on the connection. */
  readonly keepsAlive: boolean;
}

/** Bytes of a head, with those of the interim answers before it. */
const MAX_HEAD_BYTES = 64 << 10;
const STATUS_LINE = /^HTTP\/(\d)\.(\d) +(\d{3})(?: .*)?$/s;
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
/** Lists make no sense of these; the first one counts. */
const SINGLE: ReadonlySet<string> = new Set(['content-range', 'content-type', 'location', 'retry-after']);

interface StatusLine {
  readonly status: number;
  /** Ten times the major version and the minor one. */
  readonly version: number;
}

/**
 * Reads the head of an answer (RFC 9112 §4, 5) out of pieces of any size, and passes over interim ones (1xx).
 *
 * It takes what Go's net/http takes of servers and proxies that do not follow the RFC, since images come from those too:
 * lines that end in LF, folded fields, blanks before the colon, a length that is given twice, or beside chunks (which
 * count). Such things are how two readers are made to see different messages in one stream; an answer that has one of
 * them is the last one on its connection ({@link ResponseHead.keepsAlive}), so that nobody's bytes are taken for the
 * next answer. What has no one meaning is refused: lengths that differ, unknown encodings, control characters.
 */
export class ResponseHeadParser {
  readonly #lines = new LineReader('the headers are', MAX_HEAD_BYTES);
  #status: StatusLine | undefined;
  #fields: [name: string, value: string][] = [];
  #isRegular = true;

  /**
   * @returns the head and where the body begins in `data`; undefined as long as there is more to come.
   * @throws HttpSyntaxError
   */
  push(data: Buffer): { readonly head: ResponseHead; readonly next: number } | undefined {
    let position = 0;
    while (position < data.length) {
      const read = this.#lines.read(data, position);
      if (read === undefined) return undefined;
      position = read.next;
      const head = this.#take(read.line);
      if (head !== undefined) return { head, next: position };
    }
    return undefined;
  }

  #take(line: string): ResponseHead | undefined {
    if (this.#status === undefined) {
      // Some servers end the body before with a line end too many.
      if (line !== '') this.#status = parseStatusLine(line);
      return undefined;
    }
    if (line !== '') {
      this.#takeField(line);
      return undefined;
    }
    const { status, version } = this.#status;
    if (status === 101) throw new HttpSyntaxError('it changes to another protocol');
    if (status < 200) {
      this.#status = undefined;
      this.#fields = [];
      return undefined;
    }
    return this.#finish(status, version);
  }

  #takeField(line: string): void {
    if (CONTROL.test(line)) throw new HttpSyntaxError('a header has a control character');
    const last = this.#fields.at(-1);
    if (/^[ \t]/.test(line)) {
      if (last === undefined) throw new HttpSyntaxError('the headers begin with a blank');
      this.#isRegular = false;
      last[1] = `${last[1]} ${line.trim()}`.trim();
      return;
    }
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));
    const trimmed = name.trimEnd();
    if (!FIELD_NAME.test(trimmed)) throw new HttpSyntaxError('a header has no name');
    if (name !== trimmed) this.#isRegular = false;
    this.#fields.push([trimmed.toLowerCase(), line.slice(colon + 1).trim()]);
  }

  #finish(status: number, version: number): ResponseHead {
    const list = (wanted: string): string[] =>
      this.#fields
        .filter(([name]) => name === wanted)
        .flatMap(([, value]) => value.split(',').map((part) => part.trim()));
    const lengths = list('content-length').filter((value) => value !== '');
    // A version that knows no chunks does not mean them (RFC 9112 §6.1).
    const encodings = version < 11 ? [] : list('transfer-encoding').map((value) => value.toLowerCase());
    const framing = bodyFraming(status, lengths, encodings);
    const isRegular = this.#isRegular && this.#lines.isStrict && list('content-length').length + encodings.length <= 1;
    const keepsAlive =
      isRegular &&
      framing.kind !== 'close' &&
      version >= 11 &&
      !list('connection').some((value) => value.toLowerCase() === 'close');
    return { status, headers: joinFields(this.#fields), framing, keepsAlive };
  }
}

function parseStatusLine(line: string): StatusLine {
  const match = STATUS_LINE.exec(line);
  if (match === null) throw new HttpSyntaxError('the answer does not begin with a status');
  const [, major, minor, status] = match;
  return { status: Number(status), version: Number(major) * 10 + Number(minor) };
}

/** RFC 9112 §6.3 for GET and POST. */
function bodyFraming(status: number, lengths: readonly string[], encodings: readonly string[]): BodyFraming {
  const [first] = lengths;
  if (lengths.some((length) => length !== first || !/^\d{1,15}$/.test(length))) {
    throw new HttpSyntaxError('its Content-Length is not one number');
  }
  const unknown = encodings.find((encoding) => encoding !== 'chunked' && encoding !== 'identity');
  if (unknown !== undefined) throw new HttpSyntaxError('its Transfer-Encoding is not known');
  if (status === 204 || status === 304) return { kind: 'length', length: 0 };
  if (encodings.includes('chunked')) return { kind: 'chunked' };
  return first === undefined ? { kind: 'close' } : { kind: 'length', length: Number(first) };
}

function joinFields(fields: readonly (readonly [name: string, value: string])[]): HttpHeaders {
  const joined = new Map<string, string>();
  for (const [name, value] of fields) {
    const before = joined.get(name);
    if (before === undefined) joined.set(name, value);
    else if (!SINGLE.has(name)) joined.set(name, `${before}, ${value}`);
  }
  return Object.fromEntries(joined);
}
