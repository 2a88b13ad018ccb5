// A plugin for rollup: `@hpcc-js/wasm-zstd` as it goes into dist/lib. The package has its WebAssembly module compressed and
// in text, and takes 45 ms of processor time in every thread to unpack it in JavaScript; and it takes its output out of
// the module byte by byte. Both are replaced here, and nothing else.

export const ZSTD_PACKAGE = '@hpcc-js/wasm-zstd';

/** The text of the compressed module, and the expression that unpacks it. */
const PACKED = /(\w+)='[^']{100000,}'/;
const UNPACKING = /(?<=\?\?=)\w+\(\w+\((\w+)\)\)/;
/** Makes an array of numbers on its way. */
const SLOW_COPY = 'new Uint8Array([...this.heapView(n)])';
const COPY = 'this.heapView(n).slice()';

export function unpackedZstd() {
  return {
    name: 'unpacked Zstandard encoder',
    async transform(code, id) {
      if (!id.includes(`/${ZSTD_PACKAGE}/`)) return null;
      const unpacking = UNPACKING.exec(code);
      if (unpacking === null || PACKED.exec(code)?.[1] !== unpacking[1] || !code.includes(SLOW_COPY)) {
        throw new Error(`${id} is not made as it was: see ${import.meta.filename}`);
      }
      const module = await evaluate(code, unpacking[0]);
      return code
        .replace(PACKED, '$1=undefined')
        .replace(UNPACKING, `Buffer.from('${module.toString('base64')}', 'base64')`)
        .replace(SLOW_COPY, COPY);
    },
  };
}

/** What an expression in the scope of a module gives: bytes. */
async function evaluate(code, expression) {
  const text = `${code}\nexport const wanted = ${expression};`;
  const { wanted } = await import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`);
  return Buffer.from(wanted);
}
