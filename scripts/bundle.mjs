// Bundles the commands and their worker threads from dist/src into dist/bin. Node takes almost a millisecond to load a
// module, and every thread loads its own: a pull would spend a tenth of its time on that.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { rollup } from '@rollup/wasm-node';

const OUTPUT = 'dist/bin';

const { bin } = JSON.parse(readFileSync('package.json', 'utf8'));
const commands = [...new Set(Object.values(bin))].map((path) => path.replace(`${OUTPUT}/`, 'dist/src/cli/'));
const entries = [...commands, ...threads()];
const names = new Set(entries.map((path) => basename(path)));
if (names.size < entries.length) throw new Error(`two entry points have the same file name: ${entries.join(', ')}`);

rmSync(OUTPUT, { recursive: true, force: true });
const bundle = await rollup({
  logLevel: 'warn',
  input: Object.fromEntries(entries.map((path) => [basename(path, '.js'), path])),
  external: (id) => !/^(?:[./]|dist\/)/.test(id),
});
// Few and larger files: loading one costs more than some code that is not needed.
await bundle.write({ dir: OUTPUT, format: 'es', chunkFileNames: '[name]-[hash].js', experimentalMinChunkSize: 50_000 });
await bundle.close();

/** Modules that are started by their file name, as threads or processes: they must lie beside the code that does. */
function threads() {
  const modules = readdirSync('dist/src', { recursive: true })
    .filter((path) => path.endsWith('.js') && !path.startsWith('testing/'))
    .map((path) => join('dist/src', path));
  const started = modules.flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/new URL\('(.+?)', import\.meta\.url\)/g)].map(([text, name]) => {
      if (!/^\.\/[\w-]+\.js$/.test(name)) throw new Error(`${path}: ${text} is not found in the bundle`);
      return join(dirname(path), name);
    }),
  );
  return [...new Set(started)];
}
