// Writes the pages for man(1) and the completion scripts, which the package ships, as the built command tree has them. With
// --list it also brings the list of the pages in package.json up to date, by which npm installs them: after a new verb.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { completionScript } from '../dist/src/cli/completion/scripts.js';
import { manualPages } from '../dist/src/cli/manual/manual-pages.js';
import { createProgram } from '../dist/src/cli/program.js';

const manifest = readFileSync('package.json', 'utf8');
const pages = manualPages(createProgram(undefined), JSON.parse(manifest).version).map(({ file, text }) => [file, text]);
write('dist/man', pages);
if (process.argv.includes('--list')) {
  const man = pages.map(([file]) => `dist/man/${file}`).sort();
  writeFileSync('package.json', `${JSON.stringify({ ...JSON.parse(manifest), man }, null, 2)}\n`);
}
// Under the names by which shells look for them.
write('dist/completion', [
  ['cfsctl', completionScript('bash')],
  ['_cfsctl', completionScript('zsh')],
  ['cfsctl.fish', completionScript('fish')],
]);

function write(directory, files) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(directory, name), text);
}
