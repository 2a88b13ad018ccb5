// Writes dist/api.d.ts: all that the faces of the package declare, without comments, so that a change of the API is seen
// where it is reviewed. docs/api.d.ts is what was accepted; test/package/declarations.test.ts compares the two.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import ts from 'typescript';

const OUTPUT = 'dist/api.d.ts';
const HEAD =
  '// The public declarations of the package, by name. Made at build; `npm run api` accepts a change of them.';

const { name: packageName, exports } = JSON.parse(readFileSync('package.json', 'utf8'));
const faces = Object.entries(exports).filter(([, target]) => typeof target === 'object');
const printer = ts.createPrinter({ removeComments: true, newLine: ts.NewLineKind.LineFeed });

/** The names that a face exports: `type MountOptions$1 as MountOptions`. */
function exportedNames(path) {
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/^export (type )?\{([^}]*)\}/gm)]
    .flatMap(([, type = '', names]) => names.split(',').map((name) => `${type}${name.trim()}`))
    .filter((name) => !/^(?:type )?$/.test(name))
    .sort(byName);
}

function byName(a, b) {
  const [left, right] = [a, b].map((name) => name.replace(/^.* /, ''));
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Each declaration as text, in the order of the names. */
function declarations(path) {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  return source.statements
    .filter((statement) => !ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement))
    .map((statement) => {
      const name = ts.isVariableStatement(statement) ? statement.declarationList.declarations[0].name : statement.name;
      return [name.getText(), printer.printNode(ts.EmitHint.Unspecified, statement, source)];
    })
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, text]) => text);
}

const lines = [HEAD];
for (const [face, { types }] of faces) {
  lines.push('', `// ${packageName}${face.slice(1)}`, `export {`);
  lines.push(...exportedNames(types).map((name) => `    ${name},`), '};');
}
const paths = [...new Set([...faces.map(([, { types }]) => types), join('dist/lib', 'declarations.d.ts')])];
for (const text of paths.sort((a, b) => basename(a).localeCompare(basename(b))).flatMap(declarations))
  lines.push('', text);
writeFileSync(OUTPUT, `${lines.join('\n')}\n`);
