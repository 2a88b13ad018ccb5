/**
 * What moves a cursor, hides or reverses text, ends a line, or cannot be seen at all: control characters (C0, DEL, C1),
 * format characters such as those of bidirectional text, separators of lines and paragraphs, other invisible ones.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Text for one line of a terminal or log, in which whatever commands a terminal, forges a line or hides is shown as
 * `\u{1b}`. Names and messages may come from images, registries and repositories of others.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** The same characters in a JSON text as `\u001b`, which means the same to a parser. Line feeds are its layout. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) =>
    character === '\n' ? character : character.replace(/[\s\S]/g, (unit) => `\\u${hex4(unit.charCodeAt(0))}`),
  );
}

function hex4(unit: number): string {
  return unit.toString(16).padStart(4, '0');
}
