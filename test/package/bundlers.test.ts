import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { InstalledPackage } from '../support/installed-package.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { packageRoot } from '../support/paths.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';
import { xoshiroBytes } from '../support/xoshiro.js';

/** A program of a user, bundled as docs/bundlers.md says, pulls an image of three layers in threads. */

const installed = new InstalledPackage();
const { folder } = installed;
after(() => installed.remove());

const PROGRAM = `
import { listImages, pull } from 'composefs-oci';
import { Repository } from 'composefs-oci/composefs';

async function main() {
  const { repo } = await Repository.init(process.argv[2], { insecure: true });
  const { layers } = await pull(repo, 'oci:layout:app', 'app', { concurrency: 3 });
  const { errors } = await repo.fsck({ threads: 2 });
  console.log(layers.length, (await listImages(repo)).map(({ name }) => name).join(), errors.length);
  repo.close();
}
main().catch((error) => {
  for (let cause = error; cause !== undefined; cause = cause.cause) console.log(cause.code);
});
`;

before(() => {
  writeFileSync(join(folder, 'app.js'), PROGRAM);
  const layers = [1, 2, 3].map((seed) =>
    tarArchive([tarDirectory('usr/'), tarFile(`usr/${seed}`, xoshiroBytes(4 * 1024 * 1024, seed))]),
  );
  new LayoutBuilder()
    .addImage(buildImage(layers, { compression: 'none' }), { tag: 'app' })
    .write(join(folder, 'layout'));
});

let bundles = 0;

/** What the bundle prints; `make` gets the path that it is to have. */
function run(name: string, make: (path: string) => void, copies: boolean): string {
  const out = join(folder, `bundle-${++bundles}`);
  mkdirSync(out);
  make(join(out, name));
  if (copies) {
    const lib = join(installed.path, 'dist/lib');
    for (const file of readdirSync(lib)) if (/\.js(?:on)?$/.test(file)) cpSync(join(lib, file), join(out, file));
  }
  const { stdout, stderr } = spawnSync(process.execPath, [join(out, name), join(out, 'repo')], {
    cwd: folder,
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return stdout;
}

function esbuild(...options: string[]): (path: string) => void {
  const program = join(packageRoot, 'node_modules/esbuild/bin/esbuild');
  const fixed = ['app.js', '--bundle', '--platform=node', '--log-level=error'];
  return (path) => execFileSync(program, [...fixed, ...options, `--outfile=${path}`], { cwd: folder });
}

function rollup(format: string): (path: string) => void {
  const program = join(packageRoot, 'node_modules/rollup/dist/bin/rollup');
  const options = ['app.js', '--silent', '--external', 'composefs-oci,composefs-oci/composefs', '-f', format, '-o'];
  return (path) => execFileSync(process.execPath, [program, ...options, path], { cwd: folder });
}

/** What docs/bundlers.md has between the quotes. */
function banner(): string {
  const page = readFileSync(join(packageRoot, 'docs/bundlers.md'), 'utf8');
  const text = /--banner:js="([^"]*)"/.exec(page)?.[1] ?? '';
  assert.match(text, /__filename/);
  return text;
}

const EXPECTED = '3 app 0\n';

test('esbuild, the package left out', () => {
  assert.equal(run('app.mjs', esbuild('--format=esm', '--external:composefs-oci'), false), EXPECTED);
  assert.equal(run('app.cjs', esbuild('--format=cjs', '--external:composefs-oci'), false), EXPECTED);
});

test('rollup, the package left out', () => {
  assert.equal(run('app.mjs', rollup('es'), false), EXPECTED);
  assert.equal(run('app.cjs', rollup('cjs'), false), EXPECTED);
});

test('esbuild, the package taken in', () => {
  assert.equal(run('app.cjs', esbuild('--format=cjs'), true), EXPECTED);
  assert.equal(run('app.mjs', esbuild('--format=esm', `--banner:js=${banner()}`), true), EXPECTED);
});

test('a bundle without the files of the threads says what is missing', () => {
  assert.match(run('app.cjs', esbuild('--format=cjs'), false), /^WORKER_MISSING$/m);
});
