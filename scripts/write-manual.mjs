// Writes the pages for man(1) and the completion scripts, which the package ships, as the built command tree has them.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { completionScript } from '../dist/src/cli/completion/scripts.js';
import { manualPages } from '../dist/src/cli/manual/manual-pages.js';
import { createProgram } from '../dist/src/cli/program.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
write(
  'dist/man',
  manualPages(createProgram(undefined), version).map(({ file, text }) => [file, text]),
);
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
