/** JSON as every `--json` option prints it: two spaces, and a newline at the end (spec 70 A6). */
export function renderJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
