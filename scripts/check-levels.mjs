// Checks the imports of src/ against levels.json: no module imports from a level above its own, and packages that
// belong to one folder are imported there only. Prints each violation and exits with status 1 if there is one.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const { levels, onlyIn } = JSON.parse(readFileSync('levels.json', 'utf8'));
const IMPORT = /\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g;

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

function isBelow(file, folders) {
  return folders.some((folder) => file.startsWith(`${folder}/`));
}

const violations = [];
let imports = 0;
const files = readdirSync('src', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

for (const file of files) {
  const level = levelOf(file);
  if (level < 0) violations.push(`${file}: belongs to no level of levels.json`);
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
    imports += 1;
    if (onlyIn[specifier] !== undefined && !isBelow(file, onlyIn[specifier])) {
      violations.push(`${file}: imports ${specifier}, which only ${onlyIn[specifier].join(', ')} may`);
    }
    if (!specifier.startsWith('.')) continue;
    const target = normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts');
    if (levelOf(target) < level) violations.push(`${file}: imports ${target}, which is on a level above it`);
  }
}

for (const violation of violations) console.error(violation);
if (violations.length > 0) process.exit(1);
console.log(`levels: ${files.length} files, ${imports} imports, no violation`);
