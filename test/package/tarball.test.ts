import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { InstalledPackage } from '../support/installed-package.js';
import { fxOci, LayoutBuilder } from '../support/oci-fixtures.js';
import { packageRoot } from '../support/paths.js';

/** The package as it is packed, in a folder of its own, used by its name. Its dependencies are those of the checkout. */

const installed = new InstalledPackage();
const { folder } = installed;
after(() => installed.remove());

const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));

before(() => {
  new LayoutBuilder().addImage(fxOci(), { tag: 'app' }).write(join(folder, 'layout'));
});

function run(file: string, text: string): string {
  writeFileSync(join(folder, file), text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  return stdout;
}

test('the package holds its code once, and nothing that leads nowhere', () => {
  const files = readdirSync(installed.path, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(
    files.filter((name) => /\.map$|\.tsbuildinfo$|^dist\/(?!(?:lib|man|completion)(?:\/|$))/.test(name)),
    [],
  );
  const code = files
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(join(installed.path, name), 'utf8'));
  // That of an initramfs is one file, and so has a second copy of what it needs.
  assert.equal(code.filter((text) => text.includes('class FsVerityHasher')).length, 2);
});

const PULL = `
  const { repo } = await composefs.Repository.init('./repo-' + kind, { insecure: true });
  const { manifestDigest } = await pull(repo, 'oci:./layout:app', 'app');
  const { errors } = await repo.fsck();
  console.log(manifestDigest, errors.length, (await repo.gc()).objectsRemoved);
  repo.close();`;
const PULLED = `${fxOci().manifest.descriptor.digest} 0 0\n`;

test('it is used by its name as an ES module, threads included', () => {
  const text = `import { composefs, pull } from 'composefs-oci';\nconst kind = 'esm';\n${PULL}`;
  assert.equal(run('esm.mjs', text), PULLED);
});

test('it is used by its name from CommonJS', () => {
  const text = `const { composefs, pull } = require('composefs-oci');\nconst kind = 'cjs';\n(async () => {${PULL}})();`;
  assert.equal(run('cjs.cjs', text), PULLED);
});

test('all faces can be imported, and have the same names either way', () => {
  for (const face of Object.keys(manifest.exports).filter((name) => name !== './package.json')) {
    const name = `composefs-oci${face.slice(1)}`;
    const printed = run(
      'face.mjs',
      `import { createRequire } from 'node:module';
       const imported = Object.keys(await import('${name}')).filter((key) => !['default', 'module.exports'].includes(key));
       const required = Object.keys(createRequire(import.meta.url)('${name}'));
       console.log(imported.length > 0 && imported.sort().join() === required.sort().join());`,
    );
    assert.equal(printed, 'true\n', name);
  }
});

test('a class is the same from whichever face', () => {
  const printed = run(
    'same.mjs',
    `import { ComposefsError, composefs } from 'composefs-oci';
     import { Repository } from 'composefs-oci/composefs';
     import { OciImageNotFound, ComposefsError as Base } from 'composefs-oci/errors';
     console.log(Base === ComposefsError, composefs.Repository === Repository, new OciImageNotFound('x') instanceof ComposefsError);`,
  );
  assert.equal(printed, 'true true true\n');
});

test('its declarations serve strict TypeScript, of ES modules and of CommonJS', () => {
  const text = `import { composefs, type PullResult, pull } from 'composefs-oci';
    import { parseCmdline } from 'composefs-oci/boot';
    import { Repository } from 'composefs-oci/composefs';
    import { TestRegistry } from 'composefs-oci/testing';
    export const args = parseCmdline('quiet').length;
    export async function main(path: string): Promise<PullResult> {
      const repo: composefs.Repository = await Repository.open(path);
      await using registry = await TestRegistry.start();
      return await pull(repo, registry.reference('app'), 'tag', { signal: AbortSignal.timeout(1000) });
    }`;
  for (const name of ['main.mts', 'main.cts']) writeFileSync(join(folder, name), text);
  installed.link('typescript');
  installed.link('@types/node');
  installed.link('undici-types');
  const config = {
    compilerOptions: {
      strict: true,
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023', 'esnext.disposable'],
      noEmit: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      types: ['node'],
    },
    files: ['main.mts', 'main.cts'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(folder, 'node_modules/typescript/bin/tsc');
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  assert.equal(stdout, '');
  assert.equal(status, 0);
});

test('every command can be started', () => {
  for (const [command, path] of Object.entries<string>(manifest.bin)) {
    const { status, error } = spawnSync(process.execPath, [join(installed.path, path), '--help'], {
      encoding: 'utf8',
    });
    assert.equal(error, undefined);
    assert.ok(status === 0 || status === 1, command);
  }
});
