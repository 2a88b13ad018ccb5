import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPlatform, hostPlatform, parsePlatform, platformRank } from '../../../src/oci/model/platform.js';

test('the host is named as Go names it', () => {
  const names = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', s390x: 's390x' };
  for (const [nodeArch, architecture] of Object.entries({ ...names, riscv64: 'riscv64', loong64: 'loong64' })) {
    assert.deepEqual(hostPlatform(nodeArch), { os: 'linux', architecture });
  }
  assert.deepEqual(hostPlatform('arm64'), { os: 'linux', architecture: 'arm64', variant: 'v8' });
  assert.match(formatPlatform(hostPlatform('arm')), /^linux\/arm\/v[67]$/);
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

/** The variants of an architecture that serve a request, the best first; `-` for none, `?` for one that nobody knows. */
function served(wanted: string, variants: readonly string[]): string {
  const request = parsePlatform(wanted);
  const platformOf = (variant: string) => ({ ...request, variant: variant === '-' ? '' : variant });
  return variants
    .map((variant) => ({ variant, rank: platformRank(request, platformOf(variant)) }))
    .filter(({ rank }) => rank !== undefined)
    .sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0))
    .map(({ variant }) => variant)
    .join(' ');
}

// The orders of containers/image as in skopeo 1.22. Without a wanted variant it takes none of amd64, and none that it does
// not know; here those come last.
test('the variants that serve a request are in the order of containers/image', () => {
  const arm = ['v5', '?', 'v8', '-', 'v7', 'v6'];
  assert.equal(served('linux/arm', arm), '- v8 v7 v6 v5 ?');
  assert.equal(served('linux/arm/v8', arm), 'v8 v7 v6 v5 -');
  assert.equal(served('linux/arm/v7', arm), 'v7 v6 v5 -');
  assert.equal(served('linux/arm/v6', arm), 'v6 v5 -');
  assert.equal(served('linux/arm/v5', arm), 'v5 -');
  assert.equal(served('linux/arm/v9', [...arm, 'v9']), 'v9 -');
  const arm64 = ['?', 'v8', '-'];
  assert.equal(served('linux/arm64', arm64), '- v8 ?');
  assert.equal(served('linux/arm64/v8', arm64), 'v8 -');
  const amd64 = ['v3', '?', 'v1', 'v4', '-', 'v2'];
  assert.equal(served('linux/amd64', amd64), '- v1 v2 v3 v4 ?');
  assert.equal(served('linux/amd64/v3', amd64), 'v3 -');
  assert.equal(served('linux/386', ['?', '-']), '- ?');
  assert.equal(served('linux/386/v1', ['v1', '?', '-']), 'v1 -');
});

test('another system or architecture never serves a request', () => {
  const rank = (wanted: string, offered: string): number | undefined =>
    platformRank(parsePlatform(wanted), parsePlatform(offered));
  assert.equal(rank('linux/amd64', 'linux/arm64'), undefined);
  assert.equal(rank('linux/amd64', 'windows/amd64'), undefined);
  assert.equal(rank('linux/amd64', 'linux/amd64'), 0);
  assert.equal(rank('linux/arm/v7', 'linux/arm64/v8'), undefined);
  assert.equal(platformRank(parsePlatform('linux/amd64'), { os: 'linux', architecture: 'AMD64' }), undefined);
});
