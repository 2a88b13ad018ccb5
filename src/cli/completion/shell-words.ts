/**
 * The words of a command line of a POSIX shell up to the cursor, without their quotes; the last one, which is being typed,
 * is empty after a blank. Only what is in the last of several commands counts.
 */
export function shellWords(line: string): string[] {
  let words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let i = 0; i < line.length; i++) {
    const character = line[i] ?? '';
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else if (character === '\\' && quote === '"' && /["\\$`]/.test(line[i + 1] ?? '')) word += line[++i] ?? '';
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (character === '\\') {
      word = (word ?? '') + (line[++i] ?? '');
    } else if (/[ \t\n]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (/[;|&]/.test(character)) {
      words = [];
      word = undefined;
    } else {
      word = (word ?? '') + character;
    }
  }
  return [...words, word ?? ''];
}
