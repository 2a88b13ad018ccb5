import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOfFile } from '../../../src/boot/formats/file-bytes.js';
import { getBootLabel, getCmdline, getSection, getTextSection, UkiError } from '../../../src/boot/formats/uki.js';
import { buildPe, buildUki } from '../../support/pe-builder.js';
import { Random } from '../../support/random.js';
import { TestObjects } from '../tree-support.js';

const NOT_A_UKI = { code: 'NOT_A_UKI', message: 'UKI is not valid EFI executable' };
const section = (name: string, text: string) => ({ name, data: Buffer.from(text) });

test('sections are found, wherever the headers put them', () => {
  for (const optional of [0, 1, 240, 65535]) {
    const image = buildPe(
      [section('.text', 'x'), section('.osrel', 'ID=a'), section('.cmdline', 'quiet\n\0')],
      optional,
    );
    assert.deepEqual(getSection(image, '.text'), Buffer.from('x'));
    // A name of eight bytes has no NUL after it.
    assert.equal(getCmdline(image), 'quiet\n\0');
    assert.equal(getBootLabel(image), 'a');
  }
});

test('the size of a section is the one it has in memory', () => {
  const data = Buffer.from('quiet and padding');
  assert.equal(getCmdline(buildPe([{ name: '.cmdline', data, virtualSize: 5 }])), 'quiet');
  assert.throws(() => getCmdline(buildPe([{ name: '.cmdline', data, virtualSize: 100 }])), NOT_A_UKI);
});

test('the first section of a name counts', () => {
  assert.equal(getTextSection(buildPe([section('.a', '1'), section('.a', '2')]), '.a'), '1');
});

// Spec 50 §27.5.
test('what is no UKI is refused', () => {
  const dos = Buffer.alloc(64);
  for (const image of [Buffer.alloc(0), Buffer.alloc(100, 'text'), dos]) {
    assert.throws(() => getCmdline(image), NOT_A_UKI);
  }
  const osrel = { name: '.osrel', data: Buffer.from('ID=a'), offset: 1234567 };
  assert.throws(() => getBootLabel(buildPe([osrel])), NOT_A_UKI);
  for (const sections of [[], [section('.text', ''), section('.rodata', '')]]) {
    const missing = { code: 'UKI_SECTION_MISSING', message: "UKI doesn't contain a '.osrel' section" };
    assert.throws(() => getBootLabel(buildPe(sections)), missing);
  }
  const binary = buildPe([{ name: '.osrel', data: Buffer.from([0xff, 0xfe, 0xfd]) }]);
  assert.throws(() => getBootLabel(binary), {
    code: 'UKI_SECTION_NOT_UTF8',
    message: "UKI section '.osrel' is not UTF-8",
  });
  assert.throws(() => getBootLabel(buildPe([section('.osrel', 'VERSION=1')])), {
    code: 'UKI_NO_NAME',
    message: 'No name information found in .osrel section',
  });
  const large = buildPe([{ name: '.cmdline', data: Buffer.alloc(1024 * 1024 + 1, 'a') }]);
  assert.throws(() => getCmdline(large), { code: 'UKI_SECTION_TOO_LARGE' });
  assert.throws(() => getSection(buildPe([]), '.toolongname'), RangeError);
});

test('files that come in pieces are read alike', () => {
  for (const pieceSize of [1, 7, 64, 1000, 1 << 20]) {
    const objects = new TestObjects(pieceSize);
    // Data before the headers of sections makes the reader go back.
    const image = buildPe([
      { name: '.linux', data: Buffer.alloc(5000, 'k') },
      { name: '.cmdline', data: Buffer.from('ab'), offset: 4 },
    ]);
    const file = bytesOfFile(objects.add(image), objects);
    assert.equal(getTextSection(file, '.cmdline'), image.toString('utf8', 4, 6));
    assert.equal(getSection(file, '.linux').length, 5000);
    assert.equal(getTextSection(file, '.cmdline'), image.toString('utf8', 4, 6));
  }
});

test('a file that is not as long as the tree says is refused', () => {
  const objects = new TestObjects();
  const image = buildUki('quiet');
  const file = bytesOfFile(objects.add(image, image.length + 10_000), objects);
  assert.equal(getCmdline(file), 'quiet');
  const last = buildPe([{ name: '.cmdline', data: Buffer.from('a'), offset: image.length + 5000 }]);
  const longer = bytesOfFile(objects.add(last, image.length + 10_000), objects);
  assert.throws(() => getCmdline(longer), { code: 'WRONG_FILE_SIZE' });
});

test('a hundred thousand images with changed headers are read or refused', () => {
  const random = new Random(1);
  const original = buildUki('quiet composefs=x', 'ID=test\n');
  const headerSize = 64 + 24 + 4 * 40;
  const values = [
    0,
    1,
    2,
    4,
    39,
    40,
    64,
    255,
    0x7fff,
    0xffff,
    0x7fffffff,
    0xffffffff,
    original.length,
    original.length - 1,
  ];
  const codes = new Map<string, number>();
  const start = process.cpuUsage();
  for (let i = 0; i < 100_000; i++) {
    const image = Buffer.from(original);
    // Every field in turn with every value of the list, then anything anywhere.
    const at = i < headerSize * values.length ? i % headerSize : random.below(headerSize);
    const value = i < headerSize * values.length ? (values[Math.floor(i / headerSize)] ?? 0) : random.below(2 ** 32);
    if (i % 2 === 0 && at + 4 <= image.length) image.writeUInt32LE(value >>> 0, at);
    else image.writeUInt8(value & 0xff, at);
    const cut = i % 5 === 4 ? image.subarray(0, random.below(image.length)) : image;
    let code = 'read';
    try {
      assert(getCmdline(cut).length <= cut.length);
    } catch (error) {
      assert(error instanceof UkiError, String(error));
      code = error.code;
    }
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  assert.deepEqual([...codes.keys()].sort(), ['NOT_A_UKI', 'UKI_SECTION_MISSING', 'UKI_SECTION_NOT_UTF8', 'read']);
  assert(process.cpuUsage(start).user < 10_000_000);
});
