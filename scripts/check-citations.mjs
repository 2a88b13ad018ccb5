// Checks that each citation of the specification ("spec 40 §4.5, §14.2", "spec 70 G2", "spec 40, B-7") in sources, tests
// and documents leads to a section, or a numbered point, of docs/spec. Prints what does not and exits with status 1.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const SPEC = 'docs/spec';
/** "spec" or "Spec", the number of the document, and what follows up to the end of the citation. */
const CITATION =
  /\b[Ss]pec (\d\d)\b((?:[\s,]|and|to|step \d+|phases? \d|open point \d+|§?[A-I]?\d[\d.]*\d|§?[A-I]?\d|[BH]-\d+)*)/g;
const POINT = /§?\b(?:([A-I]\d+|\d+(?:\.\d+)*))\b|([BH]-\d+)/g;

/** The sections, their numbered items and the named points of a document: "4.5", "G2", "16.9", "B-7". */
function pointsOf(text) {
  const points = new Set([...text.matchAll(/\b[BH]-\d+\b/g)].map(([name]) => name));
  let section = '';
  for (const line of text.split('\n')) {
    const heading = /^#{1,4} ([A-I]\d+|\d+(?:\.\d+)*)\.? /.exec(line)?.[1];
    const item = /^(\d+)\. /.exec(line)?.[1];
    if (heading !== undefined) section = heading;
    if (heading !== undefined) points.add(heading);
    else if (item !== undefined) points.add(`${section}.${item}`);
  }
  return points;
}

const documents = new Map(
  readdirSync(SPEC)
    .filter((name) => /^\d\d-/.test(name))
    .map((name) => [name.slice(0, 2), pointsOf(readFileSync(join(SPEC, name), 'utf8'))]),
);

/** What a citation names: sections after "§", with a letter, or after "and", "to" and commas; not the numbers of steps. */
function citedPoints(text) {
  const withoutSteps = text.replace(/(?:step|phases?|open point) \d+(?:(?:,| and| to) \d+(?!\.))*/g, '');
  return [...withoutSteps.matchAll(POINT)]
    .filter(([whole, section]) => whole.startsWith('§') || section === undefined || /^[A-I]/.test(section))
    .map(([, section, point]) => section ?? point);
}

const violations = [];
let citations = 0;
const files = ['src', 'test', 'bench', 'demo', 'docs'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|md)$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name)),
);
for (const file of files) {
  // A citation may go on in the next line of its comment.
  const text = readFileSync(file, 'utf8').replace(/\n\s*(?:\*|\/\/)?\s*/g, ' ');
  for (const [, document, rest] of text.matchAll(CITATION)) {
    citations += 1;
    const points = documents.get(document);
    if (points === undefined) violations.push(`${file}: spec ${document} is not in ${SPEC}`);
    for (const point of citedPoints(rest ?? '')) {
      if (points !== undefined && !points.has(point)) violations.push(`${file}: spec ${document} has no ${point}`);
    }
  }
}

for (const violation of violations) console.error(violation);
if (violations.length > 0) process.exit(1);
console.log(`citations: ${citations} of the specification, all of them lead somewhere`);
