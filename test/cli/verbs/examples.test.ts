import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { shellWords } from '../../../src/cli/completion/shell-words.js';
import { createProgram } from '../../../src/cli/program.js';
import { Output } from '../../../src/cli/terminal/output.js';
import { CfsctlCommand } from '../../../src/cli/verbs/command.js';
import { hoistGlobals } from '../../../src/cli/verbs/hoist-globals.js';

/** The verbs that do something, by what stands before their arguments. */
function verbsOf(command: CfsctlCommand, path: readonly string[] = []): [verb: string, command: CfsctlCommand][] {
  const visible = command.createHelp().visibleCommands(command);
  const children = visible.flatMap((child) =>
    child instanceof CfsctlCommand && child.name() !== 'help' ? [child] : [],
  );
  if (children.length === 0) return [[path.join(' '), command]];
  return children.flatMap((child) => verbsOf(child, [...path, child.name()]));
}

function newProgram(): CfsctlCommand {
  return createProgram(new Output(new PassThrough()));
}

/** The lines between `Examples:` and the next blank one. */
function exampleLines(command: CfsctlCommand): string[] {
  const [, examples = ''] = /^Examples:\n((?:.+\n?)*)/m.exec(command.notes) ?? [];
  return examples.split('\n').filter((line) => line !== '');
}

/** The arguments of the first command of a line, which a comment may follow after two spaces. */
function firstCommand(line: string): string[] {
  const [command = ''] = line.trim().split(/ {2,}/, 1);
  const [, alone = ''] = /^((?:'[^']*'|[^'|;&<>])*)/.exec(command.replaceAll(/\$\([^)]*\)/g, 'SUBSTITUTED')) ?? [];
  return shellWords(alone.trim());
}

test('the help of each verb has examples', () => {
  const without = verbsOf(newProgram()).filter(([, verb]) => exampleLines(verb).length === 0);
  assert.deepEqual(
    without.map(([name]) => name),
    [],
  );
});

test('examples show the verb, and are command lines that it takes', async () => {
  for (const [name, verb] of verbsOf(newProgram())) {
    const taken: string[] = [];
    for (const line of exampleLines(verb)) {
      const [program, ...args] = firstCommand(line);
      if (program !== 'cfsctl') continue;
      const parser = newProgram();
      for (const [other, command] of verbsOf(parser)) {
        command.action(() => {
          taken.push(other);
        });
      }
      await parser.parseAsync(hoistGlobals(parser, args), { from: 'user' }).catch((error: unknown) => {
        assert.fail(`${line.trim()}: ${String(error)}`);
      });
    }
    assert.ok(taken.includes(name) || name === 'completion', `no example of ${name} shows it: ${taken.join(', ')}`);
  }
});
