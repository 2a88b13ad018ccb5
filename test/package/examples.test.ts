import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { InstalledPackage } from '../support/installed-package.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { packageRoot } from '../support/paths.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';

/** The programs in `examples/`, compiled strictly against the package as it is packed, and run one after the other. */

const installed = new InstalledPackage();
const { folder } = installed;
after(() => installed.remove());

const tsconfig = {
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    rootDir: 'examples',
    outDir: 'out',
  },
  include: ['examples'],
};

before(() => {
  for (const name of ['@types/node', 'undici-types']) installed.link(name);
  cpSync(join(packageRoot, 'examples'), join(folder, 'examples'), { recursive: true });
  for (const [index, text] of documented().entries())
    writeFileSync(join(folder, `examples/document-${index}.ts`), text);
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
  const entries = [tarDirectory('usr/'), tarFile('usr/hello', 'Hello!\n'), tarFile('usr/large', 'x'.repeat(5000))];
  const image = buildImage([tarArchive(entries)]);
  new LayoutBuilder().addImage(image, { tag: 'app' }).write(join(folder, 'layout'));
});

/** The programs that documents show. */
function documented(): string[] {
  const pages = readdirSync(join(packageRoot, 'docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', ...pages.map((name) => join('docs', name))].flatMap((path) =>
    [...readFileSync(join(packageRoot, path), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(([, text = '']) => text),
  );
}

function run(example: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join('out', `${example}.js`), ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('the examples compile, those of documents as well', () => {
  assert.ok(documented().length > 0);
  const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

test('none of them has a cast or imports from within the package', () => {
  for (const name of readdirSync(join(packageRoot, 'examples'))) {
    const text = readFileSync(join(packageRoot, 'examples', name), 'utf8').replace(/\/\*\*.*?\*\/|\/\/.*/gs, '');
    assert.doesNotMatch(text, / as (?!const)|@ts-|[:<] *any\b|composefs-oci\/(?!composefs'|boot'|testing'|errors')/);
  }
});

test('the examples do what they say', () => {
  assert.match(run('pull', 'repo', 'oci:layout:app', 'app'), /^sha256:[0-9a-f]{64}: 1 new objects\n$/);
  assert.match(run('browse', 'repo', 'app', '/usr/hello'), /^app sha256:[0-9a-f]{64} 1\n2 files\nHello!\n$/);
  assert.match(run('layer-tar', 'repo', 'app', 'layer.tar'), /^\d entries, \d+ bytes\n$/);
  const members = execFileSync('tar', ['-tf', join(folder, 'layer.tar')], { encoding: 'utf8' });
  assert.match(members, /usr\/hello\n/);
  mkdirSync(join(folder, 'tree'));
  writeFileSync(join(folder, 'tree/a'), 'a');
  assert.match(run('build', 'repo', 'tree', 'mine'), /^[0-9a-f]{64}\n$/);
  assert.equal(run('check', 'repo'), '3 streams\n0 objects of garbage, 0 removed\n');
  assert.match(run('test-registry', 'other', 'layout', 'app'), /^sha256:[0-9a-f]{64} in spite of 1 fault\n$/);
});

test('an image is mounted and unmounted', { skip: process.getuid?.() !== 0 && 'only root may' }, () => {
  mkdirSync(join(folder, 'mnt'));
  assert.equal(run('mount', 'repo', 'app', 'mnt'), 'usr\n0 entries after unmounting\n');
});
