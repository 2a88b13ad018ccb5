import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPlatform, hostPlatform, matchesPlatform, parsePlatform } from '../../../src/oci/model/platform.js';

test('the host is named as Go names it', () => {
  const names = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm', ppc64: 'ppc64le', s390x: 's390x' };
  for (const [nodeArch, architecture] of Object.entries({ ...names, riscv64: 'riscv64', loong64: 'loong64' })) {
    assert.deepEqual(hostPlatform(nodeArch), { os: 'linux', architecture });
  }
});

test('platforms are parsed, with the common other names of architectures', () => {
  const cases = {
    'linux/amd64': 'linux/amd64',
    'linux/arm/v7': 'linux/arm/v7',
    'Linux/x86_64': 'linux/amd64',
    aarch64: 'linux/arm64',
    'linux/armhf': 'linux/arm/v7',
    'linux/arm64/v8': 'linux/arm64/v8',
    'windows/amd64': 'windows/amd64',
  };
  for (const [text, formatted] of Object.entries(cases)) assert.equal(formatPlatform(parsePlatform(text)), formatted);
  for (const text of ['', '/', 'linux/', '/amd64', 'a/b/c/d', 'linux//v7', 'li nux/x']) {
    assert.throws(() => parsePlatform(text), { code: 'INVALID_PLATFORM', message: `Invalid platform '${text}'` });
  }
});

test('the variant counts where both sides name one', () => {
  const matches = (wanted: string, offered: string): boolean =>
    matchesPlatform(parsePlatform(wanted), parsePlatform(offered));
  assert.equal(matches('linux/arm', 'linux/arm/v7'), true);
  assert.equal(matches('linux/arm64/v8', 'linux/arm64'), true);
  assert.equal(matches('linux/arm/v6', 'linux/arm/v7'), false);
  assert.equal(matches('linux/amd64', 'linux/arm64'), false);
  assert.equal(matches('linux/amd64', 'windows/amd64'), false);
});
