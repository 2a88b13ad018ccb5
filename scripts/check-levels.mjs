// Checks the imports of src/ against levels.json: no module imports from a level above its own, packages that belong to
// one folder are imported there only, the commands use the library through its faces, every path of levels.json exists,
// and nothing imports in a circle, neither files nor folders; docs/architecture.md has a line for
// each folder. Prints each violation and exits with status 1 if there is one.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';

const { levels, onlyIn, faces } = JSON.parse(readFileSync('levels.json', 'utf8'));
const IMPORT = /\b(?:from|import|new URL)\s*\(?\s*['"]([^'"]+)['"]/g;

function levelOf(file) {
  let best = { level: -1, length: -1 };
  levels.forEach((paths, level) => {
    for (const path of paths) {
      const matches = file === path || file.startsWith(`${path}/`);
      if (matches && path.length > best.length) best = { level, length: path.length };
    }
  });
  return best.level;
}

function isIn(file, paths) {
  return paths.some((path) => file === path || file.startsWith(`${path}/`));
}

function isBelow(file, folders) {
  return folders.some((folder) => file.startsWith(`${folder}/`));
}

/** The folder of a file. A face (index.ts), and what lies in src/ itself, stands for itself: it looks down only. */
function roomOf(file) {
  return basename(file) === 'index.ts' || dirname(file) === 'src' ? file : dirname(file);
}

/** The groups of nodes that reach each other (Tarjan's strongly connected components of more than one node). */
function circles(graph) {
  const found = [];
  const number = new Map();
  const lowest = new Map();
  const stack = [];
  const visit = (node) => {
    number.set(node, number.size);
    lowest.set(node, number.get(node));
    stack.push(node);
    for (const next of graph.get(node)) {
      if (!graph.has(next)) continue;
      if (!number.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(node, Math.min(lowest.get(node), lowest.get(next)));
    }
    if (lowest.get(node) !== number.get(node)) return;
    const group = stack.splice(stack.indexOf(node));
    if (group.length > 1) found.push(group);
  };
  for (const node of graph.keys()) if (!number.has(node)) visit(node);
  return found;
}

const violations = [];
const deep = Object.keys(faces.deep);
const usedDeep = new Set();
for (const path of [...levels.flat(), faces.users, ...faces.faces, ...faces.platform, ...deep])
  if (!existsSync(path)) violations.push(`levels.json: ${path} does not exist`);

const files = readdirSync('src', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
const importsOf = new Map(files.map((file) => [file, new Set()]));
const roomsOf = new Map(files.map((file) => [roomOf(file), new Set()]));
let imports = 0;
for (const file of files) {
  const level = levelOf(file);
  if (level < 0) violations.push(`${file}: belongs to no level of levels.json`);
  const text = readFileSync(file, 'utf8');
  for (const [packages, folders] of Object.entries(onlyIn)) {
    if (!text.includes(packages) || isBelow(file, folders)) continue;
    violations.push(`${file}: names ${packages}, which only ${folders.join(', ')} may`);
  }
  for (const [, specifier] of text.matchAll(IMPORT)) {
    imports += 1;
    if (!specifier.startsWith('.')) continue;
    const target = normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts');
    if (levelOf(target) < level) violations.push(`${file}: imports ${target}, which is on a level above it`);
    if (isIn(file, [faces.users]) && !isIn(target, [faces.users, ...faces.faces, ...faces.platform])) {
      const allowed = deep.find((path) => isIn(target, [path]));
      usedDeep.add(allowed);
      if (allowed === undefined) {
        violations.push(
          `${file}: imports ${target}: take it from a face (${faces.faces.join(', ')}), or give a reason in levels.json`,
        );
      }
    }
    importsOf.get(file).add(target);
    if (roomOf(target) !== roomOf(file)) roomsOf.get(roomOf(file)).add(roomOf(target));
  }
}
for (const circle of [...circles(importsOf), ...circles(roomsOf)]) violations.push(`a circle: ${circle.join(', ')}`);

// By its name alone: folders of the same name have lines of their own below that of the folder that they are in.
const architecture = readFileSync('docs/architecture.md', 'utf8');
for (const folder of new Set(files.map((file) => dirname(file)).filter((folder) => folder !== 'src'))) {
  if (!architecture.includes(` ${basename(folder)}/`))
    violations.push(`docs/architecture.md: says nothing of ${folder}/`);
}

for (const path of deep) if (!usedDeep.has(path)) violations.push(`levels.json: no command imports ${path} any more`);

for (const violation of violations) console.error(violation);
if (violations.length > 0) process.exit(1);
console.log(`levels: ${files.length} files in ${roomsOf.size} rooms, ${imports} imports, no violation, no circle`);
