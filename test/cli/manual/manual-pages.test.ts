import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { manualPages } from '../../../src/cli/manual/manual-pages.js';
import { createProgram } from '../../../src/cli/program.js';
import { Output } from '../../../src/cli/terminal/output.js';
import { packageRoot } from '../../support/paths.js';
import { findInPath } from '../../support/programs.js';

const pages = manualPages(createProgram(new Output(new PassThrough())), '1.2.3');
const page = (file: string): string => pages.find((each) => each.file === file)?.text ?? '';

test('there is a page for the program, each group and each verb, and none for what is hidden', () => {
  const files = pages.map(({ file }) => file);
  assert.equal(new Set(files).size, files.length);
  for (const file of ['cfsctl.1', 'cfsctl-oci.1', 'cfsctl-oci-pull.1', 'cfsctl-gc.1'])
    assert.ok(files.includes(file), file);
  assert.deepEqual(
    files.filter((file) => /help|__complete/.test(file)),
    [],
  );
});

test('package.json lists the pages, so that npm installs them', () => {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  assert.ok(typeof manifest === 'object' && manifest !== null && 'man' in manifest);
  const listed = pages.map(({ file }) => `dist/man/${file}`).sort();
  assert.deepEqual(manifest.man, listed, 'after a new verb: node scripts/write-manual.mjs --list');
});

test('a page says what the help says', () => {
  const text = page('cfsctl-umount.1');
  assert.equal(
    text,
    `.TH "CFSCTL-UMOUNT" 1 "" "composefs-oci 1.2.3" "composefs-oci"
.SH NAME
cfsctl\\-umount \\- unmount images, whichever way they were mounted
.SH SYNOPSIS
.B cfsctl umount [OPTIONS] <MOUNTPOINT>...
.SH DESCRIPTION
Unmount images, whichever way they were mounted.
.SH ARGUMENTS
.TP
.I MOUNTPOINT
Where they are mounted
.SH OPTIONS
.TP
.B \\-l, \\-\\-lazy
Detach at once, also what is in use; it goes away with its last user.
.TP
.B \\-h, \\-\\-help
Print help.
.PP
The global options of
.BR cfsctl (1)
may be given as well.
.SH EXAMPLES
.nf
  cfsctl umount /mnt
  cfsctl umount \\-\\-lazy /mnt /srv/app                   Both, whoever still uses them
.fi
.SH EXIT STATUS
0: success. 1: failure. 2: wrong usage. 130, 143: ended by a signal.
.SH SEE ALSO
.BR cfsctl (1)
`,
  );
  assert.match(page('cfsctl-oci-export.1'), /\n\.SH EXAMPLES\n\.nf\n {2}cfsctl oci export app oci:\.\/layout:v1 /);
});

test('nothing in a text is a request of roff', () => {
  for (const { file, text } of pages) {
    const requests = text.split('\n').filter((line) => /^[.']/.test(line));
    const known = /^\.(TH|SH|B|BR|I|TP|PP|nf|fi)( |$)/;
    assert.deepEqual(
      requests.filter((line) => !known.test(line)),
      [],
      file,
    );
    assert.doesNotMatch(text, /[^\x20-\x7e\n]/, file);
  }
});

test('groff has nothing to say', { skip: findInPath('groff') === undefined ? 'groff is not installed' : false }, () => {
  for (const { file, text } of pages) {
    const { status, stderr } = spawnSync('groff', ['-man', '-Tascii', '-ww', '-z'], { input: text, encoding: 'utf8' });
    // Lines of examples are as long as they are.
    const complaints = stderr
      .split('\n')
      .filter((line) => line !== '' && !line.includes('cannot break line') && !line.includes('cannot adjust line'));
    assert.deepEqual({ status, complaints }, { status: 0, complaints: [] }, file);
  }
});
