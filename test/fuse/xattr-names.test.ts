import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteStringFrom, byteStringFromText } from '../../src/bytes/byte-string.js';
import type { OverlayXattrMode } from '../../src/fuse/xattr-names.js';
import { shownXattrName, storedXattrName } from '../../src/fuse/xattr-names.js';

const b = byteStringFromText;

test('names are shown as spec 50 §24.6 has them', () => {
  const cases: [string, string | undefined, string | undefined, string][] = [
    // raw, direct, user, trusted
    ['user.a', 'user.a', 'user.a', 'user.a'],
    ['trusted.a', 'trusted.a', 'trusted.a', 'trusted.a'],
    ['trusted.overlay.redirect', undefined, 'user.overlay.redirect', 'trusted.overlay.redirect'],
    [
      'trusted.overlay.overlay.opaque',
      'trusted.overlay.opaque',
      'user.overlay.overlay.opaque',
      'trusted.overlay.overlay.opaque',
    ],
    ['user.overlay.whiteout', 'user.overlay.whiteout', undefined, 'user.overlay.whiteout'],
    ['trusted.overlayx', 'trusted.overlayx', 'trusted.overlayx', 'trusted.overlayx'],
  ];
  for (const [raw, direct, user, trusted] of cases) {
    assert.equal(shownXattrName(b(raw), undefined), direct);
    assert.equal(shownXattrName(b(raw), 'user'), user);
    assert.equal(shownXattrName(b(raw), 'trusted'), trusted);
  }
});

test('what is listed can be read, and under no other name', () => {
  const part = fc.constantFrom('trusted.', 'user.', 'overlay.', 'overlay', 'x', '.', '\xff');
  const mode = fc.constantFrom<OverlayXattrMode | undefined>(undefined, 'user', 'trusted');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), mode, (parts, overlayMode) => {
      const raw = byteStringFrom(Buffer.from(parts.join(''), 'latin1'));
      const shown = shownXattrName(raw, overlayMode);
      if (shown !== undefined) assert.equal(storedXattrName(shown, overlayMode), raw);
      const stored = storedXattrName(raw, overlayMode);
      if (stored !== undefined && stored !== raw) assert.equal(shownXattrName(stored, overlayMode), raw);
    }),
  );
});
