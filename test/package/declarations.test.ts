import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { packageRoot } from '../support/paths.js';

/** The declarations that the package ships: that they change on purpose only, and name nothing that cannot be imported. */

const { exports } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
const paths = Object.values<string | { readonly types: string }>(exports)
  .flatMap((target) => (typeof target === 'string' ? [] : target.types))
  .map((path) => join(packageRoot, path));

const program = ts.createProgram(paths, {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  types: [],
  noLib: true,
});
const checker = program.getTypeChecker();

function exportsOf(path: string): ts.Symbol[] {
  const source = program.getSourceFile(path);
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  assert.ok(module, path);
  return checker.getExportsOfModule(module);
}

function resolved(symbol: ts.Symbol): ts.Symbol {
  return (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
}

/** Whether somebody outside could want to write its name: what is declared at the top, but for the symbols of brands. */
function isNamed(symbol: ts.Symbol): boolean {
  return (symbol.declarations ?? []).some((declaration) => {
    if (!ts.isVariableDeclaration(declaration)) return ts.isSourceFile(declaration.parent);
    const { type } = declaration;
    return type === undefined || !ts.isTypeOperatorNode(type) || type.operator !== ts.SyntaxKind.UniqueKeyword;
  });
}

test('every type in a public signature can be imported', () => {
  const exported = new Set(paths.flatMap(exportsOf).map(resolved));
  const leaked = new Set<string>();
  for (const symbol of exported) {
    const visit = (node: ts.Node): void => {
      const used = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined;
      const target = used === undefined ? undefined : resolved(used);
      if (target !== undefined && isNamed(target) && !exported.has(target)) {
        leaked.add(`${target.name}, by ${symbol.name}`);
      }
      ts.forEachChild(node, visit);
    };
    for (const declaration of symbol.declarations ?? []) if (!ts.isSourceFile(declaration)) visit(declaration);
  }
  assert.ok(exported.size > 300);
  assert.deepEqual([...leaked].sort(), []);
});

test('the public declarations are those that were accepted', () => {
  const [made, accepted] = ['dist/api.d.ts', 'docs/api.d.ts'].map((path) =>
    readFileSync(join(packageRoot, path), 'utf8').split('\n'),
  );
  const news = made?.filter((line) => !accepted?.includes(line)) ?? [];
  const gone = accepted?.filter((line) => !made?.includes(line)) ?? [];
  const change = [...gone.map((line) => `- ${line}`), ...news.map((line) => `+ ${line}`)].slice(0, 40).join('\n');
  assert.deepEqual(made, accepted, `the API has changed; if that is meant, \`npm run api\` accepts it:\n${change}`);
});

/** Spec 40 §14: what the page of the crate names, in camelCase where it is no type. */
const CRATE = `
  BLOB_CONTENT_TYPE BOOT_IMAGE_REF_KEY BOOT_IMAGE_REF_KEY_V1 IMAGE_REF_KEY IMAGE_REF_KEY_V1 LAYER_CONTENT_TYPE
  OCI_REF_PREFIX BootImageMatch ComponentId ContentAndVerity ImageInfo ImportStats LayerInfo LinkedErofsImage
  LocalFetchOpt NullReporter OciDigest OciErofsNotFound OciFsckError OciFsckResult OciImage OciImageNotFound
  OciRefNotFound OciTransformOptions OpenConfig ProgressEvent ProgressReporter ProgressUnit PullOptions PullResult
  SharedReporter SplitstreamInfo TarEntry TarItem UpgradeResult XattrFiltering addReferrer blobIdentifier bootImage
  bootImageForMode cleanupDanglingReferrers composefs composefsBootErofsForConfig composefsBootErofsForManifest
  composefsErofsForConfig composefsErofsForManifest createFilesystem extractDiffIds extractLayerIds
  findMatchingBootImage generateBootImage hasManifest importLayer isTarMediaType layerContentId layerDumpfile layerInfo
  layerTar linkedErofsImages listImages listReferrers listRefs manifestIdentifier ociFsck ociFsckImage openBlob
  openConfig processEntry pull pullImage removeBootImage removeReferrer removeReferrersForSubject resolveRef
  sha256ContentDigest tagImage untagImage upgradeRepo writeBlob writeConfig writeConfigRaw writeManifest`;

test('the root has all that the page of the crate names', () => {
  const names = new Set(exportsOf(join(packageRoot, exports['.'].types)).map(({ name }) => name));
  assert.deepEqual(
    CRATE.trim()
      .split(/\s+/)
      .filter((name) => !names.has(name)),
    [],
  );
});
