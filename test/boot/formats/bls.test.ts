import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BootLoaderEntryFile } from '../../../src/boot/formats/bls.js';

const entry = (...lines: string[]) => new BootLoaderEntryFile(lines.join('\n'));

function adding(lines: string[], ...args: string[]): string[] {
  const file = entry(...lines);
  for (const argument of args) file.addCmdline(argument);
  return file.lines;
}

// Spec 50 §27.3.
test('values follow their key and white space', () => {
  assert.equal(entry('title\t\tTest Entry').getValue('title'), 'Test Entry');
  assert.equal(entry('titleTest Entry').getValue('title'), undefined);
  assert.equal(entry('title').getValue('title'), undefined);
  assert.equal(entry(' title x').getValue('title'), undefined);
  assert.equal(entry('title \u00a0x ').getValue('title'), 'x ');
  assert.deepEqual(entry('initrd /a', 'linux /k', 'initrd /b').getValues('initrd'), ['/a', '/b']);
});

test('arguments are added to the first options line', () => {
  assert.deepEqual(adding(['title T', 'linux /vmlinuz'], 'quiet'), ['title T', 'linux /vmlinuz', 'options quiet']);
  assert.deepEqual(adding(['options splash'], 'quiet'), ['options splash quiet']);
  assert.deepEqual(adding(['options quiet splash root=/dev/sda1'], 'root=/dev/sda2'), [
    'options quiet splash root=/dev/sda2',
  ]);
  assert.deepEqual(adding(['options quiet rw splash'], 'rw', 'ro'), ['options quiet rw splash ro']);
  assert.deepEqual(adding(['options quiet composefs=old123'], 'composefs=new456'), ['options quiet composefs=new456']);
  assert.deepEqual(adding(['options a', 'options b'], 'c'), ['options a c', 'options b']);
});

test('the image comes before further arguments', () => {
  const adjusted = (karg: string | undefined, extra: string[]) => {
    const file = entry('linux /vmlinuz');
    file.adjustCmdline(karg, extra);
    return file.lines.slice(1);
  };
  assert.deepEqual(adjusted('composefs=abc123', ['quiet', 'splash']), ['options composefs=abc123 quiet splash']);
  assert.deepEqual(adjusted('composefs=?abc123', []), ['options composefs=?abc123']);
  assert.deepEqual(adjusted(undefined, ['quiet', 'splash']), ['options quiet splash']);
});

test('lines that nobody changes stay, and the last one gets its end', () => {
  for (const [text, written] of [
    ['', '\n'],
    ['a', 'a\n'],
    ['a\r\n\nb\n', 'a\r\n\nb\n'],
    ['a\n\n', 'a\n\n'],
  ] as const) {
    assert.equal(new BootLoaderEntryFile(text).toString(), written);
  }
  assert.deepEqual(new BootLoaderEntryFile('').lines, []);
});

test('a hundred thousand lines are no trouble', () => {
  const file = new BootLoaderEntryFile('initrd /a\noptions x="\n'.repeat(50_000));
  const start = process.cpuUsage();
  for (let i = 0; i < 20; i++) file.addCmdline(`a${i}=b`);
  file.mapValues(['linux', 'initrd', 'efi'], (value) => `/id${value}`);
  assert.equal(file.getValues('initrd').filter((value) => value === '/id/a').length, 50_000);
  assert(process.cpuUsage(start).user < 2_000_000);
});

test('an entry that nobody changes stays as it is, and a value that is replaced alone changes', () => {
  const line = fc.stringMatching(/^(title|linux|options|#)[ \t]{1,3}[!-~]([ -~\r]{0,10})$/);
  fc.assert(
    fc.property(fc.array(line, { minLength: 1 }), (lines) => {
      const text = `${lines.join('\n')}\n`;
      const file = new BootLoaderEntryFile(text);
      assert.equal(file.toString(), text);
      file.mapValues(['linux', 'options'], (value) => value);
      assert.equal(file.toString(), text);
      file.mapValues(['linux'], () => '/new');
      assert.deepEqual(
        file.getValues('linux'),
        lines.filter((each) => each.startsWith('linux')).map(() => '/new'),
      );
      assert.deepEqual(file.getValues('options'), new BootLoaderEntryFile(text).getValues('options'));
    }),
  );
});
