// Prints docs/errors.md, which is made of the codes in src/error-codes.ts. `npm run docs:errors` writes it.
import { ERROR_CODES } from '../dist/src/error-codes.js';

const TITLES = {
  general: 'Calls, threads, terminals',
  files: 'Files and directories',
  values: 'Texts and numbers',
  verity: 'fs-verity and digests',
  repository: 'Repositories',
  images: 'Images, trees, streams',
  mounts: 'Mounts',
  compression: 'Compression',
  layers: 'Layers',
  oci: 'OCI images in a repository',
  sources: 'Where images come from',
  export: 'Where images go',
  registry: 'Registries and the network',
  signatures: 'Signatures',
  storage: "podman's stores",
  boot: 'Boot',
};

export function errorDocs() {
  const lines = [
    '# Errors',
    '',
    'Every error that the library throws on purpose is a `ComposefsError`, or of a class below it, which',
    '`composefs-oci/errors` exports: it has a stable `code`, a message that names the thing concerned, a `cause` and, where',
    'the user can do something, a `hint`. `instanceof` holds on both sides of a worker thread. Errors of the system, and those',
    'that come from Node.js, have its codes (`ENOENT`, `EACCES`, …; errno(3)). `errorCode(error)` tells the code of anything',
    'that was thrown, `findCause(error, Class)` the first of a class in the chain of causes.',
    '',
    'This page is made of `ERROR_CODES`; the types `ErrorCode` and `ErrorCodeOf<Domain>` are its unions.',
  ];
  for (const [domain, codes] of Object.entries(ERROR_CODES)) {
    lines.push('', `## ${TITLES[domain] ?? domain}`, '', '| Code | Meaning |', '|---|---|');
    for (const code of Object.keys(codes).sort()) lines.push(`| \`${code}\` | ${codes[code]} |`);
  }
  return `${lines.join('\n')}\n`;
}

if (import.meta.url === new URL(process.argv[1], 'file:').href) process.stdout.write(errorDocs());
