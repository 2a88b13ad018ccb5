// Makes dist/lib, which is what the package ships, of dist/src: the faces of the library, the commands, and the modules
// that run as threads or processes, in as few files as serve. Node takes almost a millisecond to load a module, and every
// thread loads its own: a pull would spend a tenth of its time on that, and an import of the library 300 ms.
// CommonJS, which both `import` and `require` take: Node's loader of ES modules takes 5 ms to start and twice as long for
// each file.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { unpackedZstd, ZSTD_PACKAGE } from './unpacked-zstd.mjs';

const OUTPUT = 'dist/lib';
const LINKS = 'dist/bin';
/** Packages of which little is needed, or that load in a tenth of the time when they are prepared. Their licences come along. */
const BUNDLED = { valibot: 'LICENSE.md', 'get-east-asian-width': 'license', [ZSTD_PACKAGE]: 'LICENSE' };
/** The command that goes into an initramfs: one file, in which all is that it needs but koffi. */
const SINGLE = 'composefs-setup-root';
const IN_SINGLE = { ...BUNDLED, 'smol-toml': 'LICENSE' };

/** Modules of Node that take milliseconds to load, and that many commands need only now and then: loaded at first use. */
const LATE = ['async_hooks', 'child_process', 'crypto', 'readline/promises'];

/** Faces that are not the `index.ts` of a folder of their name. */
const FACES = { index: 'index.js', errors: 'error-classes.js' };

const { name, version, bin, exports } = JSON.parse(readFileSync('package.json', 'utf8'));
/** By the name of their file, the module in dist/src that it is made of. */
const faces = Object.fromEntries(
  Object.values(exports)
    .filter((target) => typeof target === 'object')
    .map(({ default: path }) => basename(path, '.js'))
    .map((face) => [face, `dist/src/${FACES[face] ?? `${face}/index.js`}`]),
);
/** `composefs-oci` is `cfsctl` for those who know the package only: `npx composefs-oci`. */
const commands = [...new Set(Object.values(bin))].map((path) => [
  basename(path, '.js'),
  `dist/src/cli/${basename(path)}`,
]);
const threads = threadModules().map((path) => [basename(path, '.js'), path]);

rmSync(OUTPUT, { recursive: true, force: true });
await writeBundle(byName(commands.filter(([command]) => command === SINGLE)), IN_SINGLE, {
  inlineDynamicImports: true,
});
await writeBundle(
  byName([...commands.filter(([command]) => command !== SINGLE), ...threads, ...Object.entries(faces)]),
);

// Makes the files CommonJS, and is what they find when they ask for the package's version.
const scope = { name, version, type: 'commonjs', exports: { './package.json': './package.json' } };
writeFileSync(join(OUTPUT, 'package.json'), `${JSON.stringify(scope, null, 2)}\n`);
await writeDeclarations();
for (const [id, licence] of Object.entries(IN_SINGLE)) {
  copyFileSync(join('node_modules', id, licence), join(OUTPUT, `LICENSE-${basename(id)}${extname(licence)}`));
}
// The WebAssembly module is made of this, whose licence the package does not have.
copyFileSync('scripts/LICENSE-zstd', join(OUTPUT, 'LICENSE-zstd'));

// As npm does when it installs them: `npx cfsctl` works in a checkout.
for (const path of Object.values(bin)) chmodSync(path, 0o755);
linkCommands();

/** The commands of a checkout under their names, for `PATH`, and under those of their files, for `node`. */
function linkCommands() {
  rmSync(LINKS, { recursive: true, force: true });
  mkdirSync(LINKS);
  for (const [command, path] of Object.entries(bin)) {
    for (const name of [command, `${command}.js`]) symlinkSync(join('..', 'lib', basename(path)), join(LINKS, name));
  }
}

function byName(entries) {
  const input = Object.fromEntries(entries);
  if (Object.keys(input).length < entries.length)
    throw new Error(`two entry points have one name: ${entries.join(' ')}`);
  return input;
}

async function writeBundle(input, bundled = BUNDLED, output = { experimentalMinChunkSize: 50_000 }) {
  const bundle = await rollup({
    logLevel: 'warn',
    // Modules of this package do nothing when they are loaded: of a face, a command gets what it uses.
    treeshake: { moduleSideEffects: (id) => !id.includes('/dist/src/') },
    // What a package does inside of itself is its own matter.
    onLog: (level, log, handle) => {
      if (log.code !== 'CIRCULAR_DEPENDENCY' || !log.ids.every((id) => id.includes('node_modules'))) handle(level, log);
    },
    input,
    external: (id) => !/^(?:[./]|dist\/)/.test(id) && !Object.hasOwn(bundled, id),
    plugins: [
      unpackedZstd(),
      {
        name: 'bundled packages, own file names and late modules',
        resolveId: (id) => (Object.hasOwn(bundled, id) ? fileURLToPath(import.meta.resolve(id)) : null),
        resolveImportMeta: (property) =>
          property === 'url' ? "require('node:url').pathToFileURL(__filename).href" : null,
        renderChunk: (code) => ({ code: loadLate(code), map: null }),
      },
    ],
  });
  // Few and larger files: loading one costs more than some code that is not needed.
  await bundle.write({
    dir: OUTPUT,
    format: 'cjs',
    chunkFileNames: '[name]-[hash].js',
    // A file asks for what it uses itself.
    hoistTransitiveImports: false,
    ...output,
  });
  await bundle.close();
}

/** Has a file ask for the {@link LATE} modules of Node where it uses them. */
function loadLate(code) {
  return LATE.reduce((text, id) => {
    const declaration = new RegExp(`^var (\\w+) = require\\('node:${id}'\\);$`, 'm');
    const [line, variable] = declaration.exec(text) ?? [];
    if (line === undefined) return text;
    // In brackets, since `new` may stand before it.
    const uses = text.replace(line, '').replace(new RegExp(`\\b${variable}\\.`, 'g'), `(${variable}()).`);
    return uses.replace(
      /^'use strict';$/m,
      `$&\n\nlet ${variable}Loaded;\nconst ${variable} = () => (${variable}Loaded ??= require('node:${id}'));`,
    );
  }, code);
}

/** A file of declarations for each face, and one with what they are made of: a class is the same from each of them. */
async function writeDeclarations() {
  const input = Object.fromEntries(Object.entries(faces).map(([face, path]) => [face, path.replace(/\.js$/, '.d.ts')]));
  const entries = new Set(Object.values(input));
  const bundle = await rollup({
    input,
    external: /^node:/,
    plugins: [
      {
        name: 'the namespace of the core is the face of the core',
        resolveId: (id) => (id === './composefs/index.js' ? { id: './composefs.js', external: true } : null),
      },
      dts(),
    ],
  });
  await bundle.write({
    dir: OUTPUT,
    format: 'es',
    minifyInternalExports: false,
    manualChunks: (id) => (entries.has(id.slice(id.indexOf('dist/src/'))) ? undefined : 'declarations'),
    entryFileNames: '[name].d.ts',
    chunkFileNames: '[name].d.ts',
  });
  await bundle.close();
  for (const face of Object.keys(faces)) markTypes(join(OUTPUT, `${face}.d.ts`), join(OUTPUT, `${face}.js`));
}

/** A class that a face exports as a type only is none to its users, who can neither make one nor ask for it. */
function markTypes(declarations, code) {
  const values = new Set(Object.keys(createRequire(import.meta.url)(resolve(code))));
  const text = readFileSync(declarations, 'utf8').replace(
    /^export \{([^}]*)\}( from '[^']*')?;$/gm,
    (_, list, from = '') => {
      const names = list.split(',').map((name) => name.trim());
      const isValue = (name) => values.has(name.replace(/^.* as /, ''));
      const exported = [names.filter(isValue), names.filter((name) => !isValue(name))];
      return exported
        .flatMap((some, index) =>
          some.length > 0 ? `export ${index === 1 ? 'type ' : ''}{ ${some.join(', ')} }${from};` : [],
        )
        .join('\n');
    },
  );
  writeFileSync(declarations, text);
}

/** Modules that are started by their file name, as threads or processes: they must lie beside the code that does. */
function threadModules() {
  const modules = readdirSync('dist/src', { recursive: true })
    .filter((path) => path.endsWith('.js') && !path.startsWith('testing/'))
    // What is compiled of a file that has moved since may linger in dist/.
    .filter((path) => existsSync(join('src', path.replace(/\.js$/, '.ts'))))
    .map((path) => join('dist/src', path));
  const started = modules.flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/new URL\('(.+?)', import\.meta\.url\)/g)].map(([text, module]) => {
      if (!/^\.\/[\w-]+\.js$/.test(module)) throw new Error(`${path}: ${text} is not found in the bundle`);
      return join(dirname(path), module);
    }),
  );
  return [...new Set(started)];
}
