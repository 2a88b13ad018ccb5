import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { CFSCTL, cfsctl } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { findInPath } from '../../support/programs.js';

/** The scripts in the shells that they are for. */

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

const skip = (shell: string): string | false => (findInPath(shell) === undefined ? `${shell} is not installed` : false);

/** A directory with `cfsctl` in it, for PATH; and a repository with the tags `app/1`, `app/2` and `odd tag`. */
function setUp(): { bin: string; repo: string } {
  const bin = fixtures.path('bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'cfsctl'), `#!/bin/sh\nexec ${process.execPath} ${CFSCTL} "$@"\n`);
  chmodSync(join(bin, 'cfsctl'), 0o755);
  const repo = fixtures.emptyDirectory();
  mkdirSync(join(repo, 'streams', 'refs', 'oci'), { recursive: true });
  for (const tag of ['app%2F1', 'app%2F2', 'odd tag', 'bad\nname']) {
    symlinkSync('nowhere', join(repo, 'streams', 'refs', 'oci', tag));
  }
  return { bin, repo };
}

function run(bin: string, shell: string, args: readonly string[], cwd: string): string {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH']}`, HOME: cwd };
  const { status, stdout, stderr } = spawnSync(shell, args, { env, cwd, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

const LINES: readonly (readonly [line: string, completed: readonly string[]])[] = [
  ['cfsctl oci expo', ['export']],
  ['cfsctl --repo REPO oci untag ap', ['app/1', 'app/2']],
  ['cfsctl --repo=REPO oci inspect app/2', ['app/2']],
  ['cfsctl oci export --recompress=z', ['--recompress=zstd']],
  ['cfsctl oci pull docker-da', ['docker-daemon:']],
  ['cfsctl nonsense nonsense x', []],
];

test('bash completes', { skip: skip('bash') }, () => {
  const { bin, repo } = setUp();
  for (const [line, expected] of LINES) {
    const typed = line.replace('REPO', repo);
    // As bash calls it: words end at the characters of COMP_WORDBREAKS.
    const script = `source <(cfsctl completion bash)
COMP_LINE=$1 COMP_POINT=\${#1}
COMP_WORDS=(\${1//[=:]/ }); [[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_WORDS[0]=cfsctl; COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_cfsctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const found = run(bin, 'bash', ['-c', script, 'bash', typed], repo)
      .split('\n')
      .filter((value) => value !== '');
    const cut = expected.map((value) =>
      value.slice(Math.max(...['=', ':'].map((end) => typed.slice(typed.lastIndexOf(' ') + 1).lastIndexOf(end) + 1))),
    );
    assert.deepEqual(found.sort(), cut, line);
  }
});

test('fish completes', { skip: skip('fish') }, () => {
  const { bin, repo } = setUp();
  for (const [line, expected] of LINES) {
    const typed = line.replace('REPO', repo);
    const script = 'cfsctl completion fish | source; complete -C $argv[1]';
    const found = run(bin, 'fish', ['--no-config', '-c', script, typed], repo)
      .split('\n')
      .filter((value) => value !== '');
    assert.deepEqual(found.map((value) => value.replace(/\t.*/, '')).sort(), expected, line);
  }
});

test('zsh completes', { skip: skip('zsh') }, () => {
  const { bin, repo } = setUp();
  for (const [line, expected] of LINES) {
    const typed = line.replace('REPO', repo);
    // What the line editor gives to the function, and in place of what shows the candidates.
    const script = `compdef() { }
source <(cfsctl completion zsh)
_describe() { print -rl -- "\${(@)described}"; }
words=("\${(@s. .)1}"); CURRENT=$#words; PREFIX=$words[CURRENT]
_cfsctl; true`;
    const found = run(bin, 'zsh', ['-f', '-c', script, 'zsh', typed], repo)
      .split('\n')
      .filter((value) => value !== '');
    const values = found.map((value) => value.replaceAll('\\:', '\0').replace(/:.*/, '').replaceAll('\0', ':'));
    assert.deepEqual(values.sort(), expected, line);
  }
});

test('what no shell can insert is left out, and the rest goes on', () => {
  const { repo } = setUp();
  assert.deepEqual(cfsctl(['__complete', '--', '--repo', repo, 'oci', 'untag', '']), {
    status: 0,
    stdout: 'space\n\napp/1\napp/2\nodd tag\n',
    stderr: '',
  });
  assert.equal(cfsctl(['__complete', '--', '--repo', '']).stdout, 'directories\n\n');
  assert.equal(cfsctl(['__complete', '--line', 'cfsctl oci pull oci']).stdout, 'nospace\noci\noci:\noci-archive:\n');
});

test('only shells have scripts', () => {
  const { status, stderr } = cfsctl(['completion', 'tcsh']);
  assert.equal(status, 2);
  assert.match(stderr, /^error: invalid value 'tcsh' for '<SHELL>'\n {2}\[possible values: bash, zsh, fish\]/);
});
