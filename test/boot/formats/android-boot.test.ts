import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AndroidBootError, AndroidBootImage } from '../../../src/boot/formats/android-boot.js';
import { androidImage } from '../../support/android-builder.js';
import { Random } from '../../support/random.js';

const INVALID = { code: 'ANDROID_BOOT_INVALID', message: 'invalid Android boot image header' };

test('the parts begin at whole pages', () => {
  const image = AndroidBootImage.parse(
    androidImage({ kernel: 'kernel', ramdisk: 'r'.repeat(2048), second: 's', dtbo: 'd'.repeat(2049), dtb: 'dtb' }),
  );
  assert.equal(image.headerSize, 1660);
  assert.equal(image.component('kernel').toString(), 'kernel');
  assert.equal(image.component('ramdisk').toString(), 'r'.repeat(2048));
  assert.equal(image.component('dtb').toString(), 'dtb');
});

test('parts that are not there, or end behind the end, are said to', () => {
  const image = androidImage({ kernel: 'kernel', dtb: 'dtb' });
  assert.throws(() => AndroidBootImage.parse(image).component('ramdisk'), {
    code: 'ANDROID_BOOT_NO_COMPONENT',
    message: 'component ramdisk is not present',
  });
  assert.throws(() => AndroidBootImage.parse(image.subarray(0, 4098)).component('dtb'), INVALID);
  assert.equal(AndroidBootImage.parse(image.subarray(0, 4098)).component('kernel').toString(), 'kernel');
});

test('the command line goes on in a second field', () => {
  const cmdline = (text: Buffer, extra: Buffer) =>
    AndroidBootImage.parse(androidImage({ cmdline: text, extra })).cmdline();
  assert.equal(cmdline(Buffer.from('quiet'), Buffer.from(' rw')), 'quiet rw');
  assert.equal(cmdline(Buffer.alloc(512, 'a'), Buffer.from('b')), `${'a'.repeat(512)}b`);
  assert.throws(() => cmdline(Buffer.from([0xff]), Buffer.alloc(0)), { message: 'kernel command line is not UTF-8' });
});

test('headers are checked in their order', () => {
  const change = (edit: (image: Buffer) => void) => {
    const image = androidImage({ kernel: 'k' });
    edit(image);
    return () => AndroidBootImage.parse(image);
  };
  assert.throws(() => AndroidBootImage.parse(Buffer.alloc(1659)), { message: /^I\/O error/ });
  assert.throws(
    change((image) => image.write('X')),
    { message: 'not an Android boot image' },
  );
  assert.throws(
    change((image) => image.writeUInt32LE(3, 40)),
    { message: 'unsupported Android boot header version 3' },
  );
  assert.throws(
    change((image) => image.writeUInt32LE(0, 36)),
    INVALID,
  );
  assert.throws(
    change((image) => image.writeUInt32LE(1659, 1644)),
    INVALID,
  );
  assert.throws(
    change((image) => image.writeUInt32LE(2049, 1644)),
    INVALID,
  );
});

test('changed headers are read or refused', () => {
  const random = new Random(2);
  const original = androidImage({ kernel: 'k', ramdisk: 'r', second: 's', dtbo: 'o', dtb: 'd' });
  for (let i = 0; i < 30_000; i++) {
    const image = Buffer.from(original);
    for (let n = random.below(3); n >= 0; n--) image.writeUInt32LE(random.below(2 ** 32), 4 * random.below(415));
    try {
      const parsed = AndroidBootImage.parse(image);
      for (const name of ['kernel', 'ramdisk', 'dtb'] as const) assert(parsed.component(name).length <= image.length);
    } catch (error) {
      assert(error instanceof AndroidBootError, String(error));
    }
  }
});
