// Bundles the commands and their worker threads from dist/src into dist/bin. Node takes almost a millisecond to load a
// module, and every thread loads its own: a pull would spend a tenth of its time on that. CommonJS, since Node's loader
// of ES modules takes 5 ms to start and twice as long for each file.
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from '@rollup/wasm-node';

const OUTPUT = 'dist/bin';
/** Packages of which commands need little: it loads in a tenth of the time. Their licences come along. */
const BUNDLED = { valibot: 'LICENSE.md' };
/** The command that goes into an initramfs: one file, in which all is that it needs but koffi. */
const SINGLE = 'composefs-setup-root.js';
const IN_SINGLE = { ...BUNDLED, 'smol-toml': 'LICENSE' };

const { name, version, bin } = JSON.parse(readFileSync('package.json', 'utf8'));
const compiled = (path) => path.replace(`${OUTPUT}/`, 'dist/src/cli/');
const main = [compiled(bin.cfsctl), ...threads()];
const tools = Object.values(bin)
  .map(compiled)
  .filter((path) => !main.includes(path));
const entries = [...main, ...tools];
const names = new Set(entries.map((path) => basename(path)));
if (names.size < entries.length) throw new Error(`two entry points have the same file name: ${entries.join(', ')}`);

rmSync(OUTPUT, { recursive: true, force: true });
// A small tool shares no file with the others: it would load what it does not need.
for (const tool of tools) {
  if (basename(tool) === SINGLE) await writeBundle([tool], IN_SINGLE, { inlineDynamicImports: true });
  else await writeBundle([tool]);
}
await writeBundle(main);

// Makes the files CommonJS, and is what they find when they ask for the package's version.
const scope = { name, version, type: 'commonjs', exports: { './package.json': './package.json' } };
writeFileSync(join(OUTPUT, 'package.json'), `${JSON.stringify(scope, null, 2)}\n`);
for (const [id, licence] of Object.entries(IN_SINGLE)) {
  copyFileSync(join('node_modules', id, licence), join(OUTPUT, `LICENSE-${id}${extname(licence)}`));
}

async function writeBundle(paths, bundled = BUNDLED, output = { experimentalMinChunkSize: 50_000 }) {
  const bundle = await rollup({
    logLevel: 'warn',
    // What a package does inside of itself is its own matter.
    onLog: (level, log, handle) => {
      if (log.code !== 'CIRCULAR_DEPENDENCY' || !log.ids.every((id) => id.includes('node_modules'))) handle(level, log);
    },
    input: Object.fromEntries(paths.map((path) => [basename(path, '.js'), path])),
    external: (id) => !/^(?:[./]|dist\/)/.test(id) && !Object.hasOwn(bundled, id),
    plugins: [
      {
        name: 'bundled packages and own file names',
        resolveId: (id) => (Object.hasOwn(bundled, id) ? fileURLToPath(import.meta.resolve(id)) : null),
        resolveImportMeta: (property) =>
          property === 'url' ? "require('node:url').pathToFileURL(__filename).href" : null,
      },
    ],
  });
  // Few and larger files: loading one costs more than some code that is not needed.
  await bundle.write({
    dir: OUTPUT,
    format: 'cjs',
    chunkFileNames: '[name]-[hash].js',
    ...output,
  });
  await bundle.close();
}

/** Modules that are started by their file name, as threads or processes: they must lie beside the code that does. */
function threads() {
  const modules = readdirSync('dist/src', { recursive: true })
    .filter((path) => path.endsWith('.js') && !path.startsWith('testing/'))
    // What is compiled of a file that has moved since may linger in dist/.
    .filter((path) => existsSync(join('src', path.replace(/\.js$/, '.ts'))))
    .map((path) => join('dist/src', path));
  const started = modules.flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/new URL\('(.+?)', import\.meta\.url\)/g)].map(([text, name]) => {
      if (!/^\.\/[\w-]+\.js$/.test(name)) throw new Error(`${path}: ${text} is not found in the bundle`);
      return join(dirname(path), name);
    }),
  );
  return [...new Set(started)];
}
