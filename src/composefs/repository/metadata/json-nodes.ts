/**
 * JSON with what `JSON.parse` throws away: repeated keys and the text of numbers.
 *
 * `meta.json` decides how a repository may be used, so two readers must not see two different values in it
 * (spec 10 §7.3): a known key that is repeated and a number that is not a plain integer are errors. Below unknown keys,
 * though, anything goes that is JSON at all, also what `parseJson` refuses in documents that digests are made of.
 */

export type JsonNode =
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, readonly JsonNode[]> }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'literal'; readonly text: string };

type OpenObject = { kind: 'object'; members: Map<string, JsonNode[]>; key: string | undefined };
type OpenArray = { kind: 'array'; items: JsonNode[] };

const TOKEN = /[\s,:]*(?:("(?:[^"\\]|\\.)*")|([{}[\]])|([^\s{}[\],:"]+))/gy;

/**
 * @throws SyntaxError from `JSON.parse`, with its position.
 */
export function parseStrictJson(text: string): JsonNode {
  JSON.parse(text);
  // The text is known to be valid from here on, so the tokens need no grammar: only nesting and key positions matter.
  const stack: (OpenObject | OpenArray)[] = [];
  let root: JsonNode | undefined;

  const add = (node: JsonNode): void => {
    const parent = stack.at(-1);
    if (parent === undefined) root = node;
    else if (parent.kind === 'array') parent.items.push(node);
    else if (parent.key === undefined) {
      if (node.kind === 'string') parent.key = node.value;
    } else {
      const values = parent.members.get(parent.key);
      if (values === undefined) parent.members.set(parent.key, [node]);
      else values.push(node);
      parent.key = undefined;
    }
  };

  for (const [, string, bracket, other] of text.matchAll(TOKEN)) {
    if (string !== undefined) add({ kind: 'string', value: String(JSON.parse(string)) });
    else if (other !== undefined) add(/^[-0-9]/.test(other) ? { kind: 'number', text: other } : literal(other));
    else if (bracket === '{') stack.push({ kind: 'object', members: new Map(), key: undefined });
    else if (bracket === '[') stack.push({ kind: 'array', items: [] });
    else {
      const closed = stack.pop();
      if (closed !== undefined) add(closed);
    }
  }
  if (root === undefined) throw new SyntaxError('Unexpected end of JSON input');
  return root;
}

function literal(text: string): JsonNode {
  return { kind: 'literal', text };
}
