import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { FormatConfig } from '../../../../src/composefs/erofs/format/constants.js';
import type { HashAlgorithm } from '../../../../src/composefs/fsverity/algorithm.js';
import {
  checkCompatible,
  effectiveFormats,
  newMetadata,
  parseMetadata,
  RepositoryOpenError,
  type RepositoryOpenErrorKind,
  serializeMetadata,
} from '../../../../src/composefs/repository/index.js';
import { sha256 } from '../../../support/sha256.js';

const V1_SHA256 = `{
  "version": 1,
  "algorithm": "fsverity-sha256-12",
  "features": {
    "compatible": [],
    "read-only-compatible": [
      "v1_erofs"
    ],
    "incompatible": []
  },
  "erofs_formats": {
    "default": 1
  }
}
`;

const MINIMAL = '"version":1,"algorithm":"fsverity-sha256-12"';

function parse(text: string): ReturnType<typeof parseMetadata> {
  return parseMetadata(Buffer.from(text));
}

function isKind(kind: RepositoryOpenErrorKind, message?: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof RepositoryOpenError &&
    error.kind === kind &&
    (message === undefined || message.test(error.message));
}

describe('serializeMetadata', () => {
  // Spec 10 §7.2.
  const vectors: [HashAlgorithm, FormatConfig, number, string][] = [
    ['sha256', { default: 0, extra: [] }, 197, '040ff7691639402e079824c4da7efaa71f6544d95e89c5aba7528493627b445e'],
    ['sha256', { default: 1, extra: [] }, 219, 'ce490cd54dea426ea1f0bf50bd761abc89a6377adf85b6966472041836fcfe50'],
    ['sha256', { default: 2, extra: [] }, 197, '848e8cb17d08757475d959a2084730fd45506d0879a61c3b9106002495e6f1db'],
    ['sha256', { default: 1, extra: [2] }, 249, '163a19f1954bc5d95cabf526767625a14e59ee5e3c2d05173449573410750def'],
    ['sha512', { default: 0, extra: [] }, 197, 'fb12a486c3e9b4ef884c85dc4a5cdc951539ac4cc34511c4a54b9fad14dd0402'],
    ['sha512', { default: 1, extra: [] }, 219, '412fb0551a52276280623a1775f3108a6fe434caaa9bd0bc0d80e69cf7a173c1'],
    ['sha512', { default: 2, extra: [] }, 197, 'e4af7edd1005b202a219c3fe9d0810ea8e61712e45d60f7e5ef7d758831c37ce'],
    ['sha512', { default: 1, extra: [2] }, 249, '0707445d1e5e819ad374ac01c7cdecb8bb4a4b6f5ce0aac2eee042ba5138a46d'],
  ];
  for (const [algorithm, formats, size, digest] of vectors) {
    it(`writes the bytes of the vector ${algorithm} ${JSON.stringify(formats)}`, () => {
      const bytes = Buffer.from(serializeMetadata(newMetadata(algorithm, formats)));
      assert.equal(bytes.length, size);
      assert.equal(sha256(bytes), digest);
      assert.deepEqual(effectiveFormats(parseMetadata(bytes)), formats);
    });
  }

  it('writes V1 by default, laid out as documented', () => {
    assert.equal(serializeMetadata(newMetadata('sha256')), V1_SHA256);
  });

  it('sorts extra formats, drops repeated ones and keeps one that equals the default', () => {
    const text = serializeMetadata(newMetadata('sha256', { default: 1, extra: [2, 1, 2, 0] }));
    assert.deepEqual(JSON.parse(text).erofs_formats, { default: 1, extra: [0, 1, 2] });
  });

  it('gives back what was parsed', () => {
    const text = serializeMetadata(newMetadata('sha512', { default: 2, extra: [0, 1] }));
    assert.equal(serializeMetadata(parse(text)), text);
  });
});

describe('parseMetadata', () => {
  it('takes a minimal file', () => {
    const metadata = parse(`{${MINIMAL}}`);
    assert.deepEqual(metadata, {
      version: 1,
      algorithm: 'sha256',
      features: { compatible: [], readOnlyCompatible: [], incompatible: [] },
      erofsFormats: { default: 2, extra: [] },
    });
  });

  it('ignores unknown keys at every level, repeated ones too', () => {
    const metadata = parse(
      `{${MINIMAL},"x":{"a":[1,{"b":null}]},"x":1,"erofs_version":2,"features":{"y":1,"y":2},"erofs_formats":{"default":0,"z":"}"}} \n`,
    );
    assert.deepEqual(metadata.erofsFormats, { default: 0, extra: [] });
  });

  it('keeps the order and the repetitions of features', () => {
    const { features } = parse(`{${MINIMAL},"features":{"compatible":["b","a","b"],"incompatible":["\\u0041\\""]}}`);
    assert.deepEqual(features.compatible, ['b', 'a', 'b']);
    assert.deepEqual(features.incompatible, ['A"']);
  });

  it('collapses repeated extra formats', () => {
    assert.deepEqual(parse(`{${MINIMAL},"erofs_formats":{"default":1,"extra":[2,0,2]}}`).erofsFormats.extra, [0, 2]);
  });

  const bad: Record<string, string> = {
    'bad JSON': 'not valid json {{',
    'no JSON at all': '',
    'text after the value': `{${MINIMAL}} x`,
    'a second value': `{${MINIMAL}}{}`,
    'a trailing comma': `{${MINIMAL},}`,
    'a byte order mark': `\ufeff{${MINIMAL}}`,
    'an array': `[{${MINIMAL}}]`,
    'no version': '{"algorithm":"fsverity-sha256-12"}',
    'no algorithm': '{"version":1}',
    'a negative version': '{"version":-1,"algorithm":"fsverity-sha256-12"}',
    'a negative zero version': '{"version":-0,"algorithm":"fsverity-sha256-12"}',
    'a fractional version': '{"version":1.5,"algorithm":"fsverity-sha256-12"}',
    'a version with a fraction of zero': '{"version":1.0,"algorithm":"fsverity-sha256-12"}',
    'a version with an exponent': '{"version":1e0,"algorithm":"fsverity-sha256-12"}',
    'a version above 32 bits': '{"version":4294967296,"algorithm":"fsverity-sha256-12"}',
    'a version as a string': '{"version":"1","algorithm":"fsverity-sha256-12"}',
    'a null version': '{"version":null,"algorithm":"fsverity-sha256-12"}',
    'a null algorithm': '{"version":1,"algorithm":null}',
    'an unknown algorithm': '{"version":1,"algorithm":"fsverity-sha1-12"}',
    'null features': `{${MINIMAL},"features":null}`,
    'a null feature list': `{${MINIMAL},"features":{"compatible":null}}`,
    'a number as feature': `{${MINIMAL},"features":{"incompatible":[1]}}`,
    'null formats': `{${MINIMAL},"erofs_formats":null}`,
    'formats without default': `{${MINIMAL},"erofs_formats":{"extra":[1]}}`,
    'an unknown default format': `{${MINIMAL},"erofs_formats":{"default":3}}`,
    'an unknown extra format': `{${MINIMAL},"erofs_formats":{"default":1,"extra":[3]}}`,
    'a repeated version': `{"version":1,${MINIMAL}}`,
    'a repeated algorithm': `{${MINIMAL},"algorithm":"fsverity-sha256-12"}`,
    'repeated features': `{${MINIMAL},"features":{},"features":{}}`,
    'a repeated feature list': `{${MINIMAL},"features":{"compatible":[],"compatible":[]}}`,
    'repeated formats': `{${MINIMAL},"erofs_formats":{"default":1},"erofs_formats":{"default":1}}`,
    'a repeated default format': `{${MINIMAL},"erofs_formats":{"default":1,"default":1}}`,
    'a repeated key in another spelling': `{${MINIMAL},"versio\\u006e":1}`,
  };
  for (const [what, text] of Object.entries(bad)) {
    it(`refuses ${what}`, () =>
      assert.throws(() => parse(text), isKind('metadata-invalid', /failed to parse meta\.json/)));
  }

  it('refuses bytes that are not UTF-8', () => {
    const bytes = Buffer.from(`{${MINIMAL},"x":"\xff"}`, 'latin1');
    assert.throws(() => parseMetadata(bytes), isKind('metadata-invalid'));
  });

  it('survives deep nesting', () => {
    const depth = 200_000;
    assert.throws(() => parse('['.repeat(depth)), isKind('metadata-invalid'));
    assert.equal(parse(`{${MINIMAL},"x":${'['.repeat(5000)}${']'.repeat(5000)}}`).version, 1);
  });

  it('refuses a huge file', () => {
    const text = `{${MINIMAL},"x":"${'y'.repeat(2 ** 20)}"}`;
    assert.throws(() => parse(text), isKind('metadata-invalid'));
  });
});

describe('checkCompatible', () => {
  it('gives read and write access to a known repository', () => {
    assert.deepEqual(checkCompatible(newMetadata('sha256'), 'sha256'), { mode: 'read-write' });
    assert.deepEqual(checkCompatible(newMetadata('sha256')), { mode: 'read-write' });
  });

  it('accepts version 0 and refuses 2', () => {
    checkCompatible({ ...newMetadata('sha256'), version: 0 });
    const message = /unsupported repository format version 2 \(this tool supports up to 1\)/;
    assert.throws(
      () => checkCompatible({ ...newMetadata('sha256'), version: 2 }, 'sha512'),
      isKind('unsupported-version', message),
    );
  });

  it('refuses another algorithm, naming both', () => {
    const message = /^repository algorithm fsverity-sha256-12 does not match expected fsverity-sha512-12$/;
    assert.throws(() => checkCompatible(newMetadata('sha256'), 'sha512'), isKind('algorithm-mismatch', message));
  });

  it('refuses incompatible features, naming them', () => {
    const metadata = parse(`{${MINIMAL},"features":{"incompatible":["x","y"]}}`);
    const message = /^repository requires unknown incompatible features: \["x", "y"\]$/;
    assert.throws(() => checkCompatible(metadata), isKind('incompatible-features', message));
  });

  it('gives read access only if there are unknown read-only features', () => {
    const metadata = parse(`{${MINIMAL},"features":{"compatible":["c"],"read-only-compatible":["n","v1_erofs"]}}`);
    assert.deepEqual(checkCompatible(metadata), { mode: 'read-only', unknownFeatures: ['n'] });
  });
});

describe('effectiveFormats', () => {
  // Spec 10 §7.5.
  const cases: [string, FormatConfig][] = [
    [`{${MINIMAL},"features":{}}`, { default: 2, extra: [] }],
    [`{${MINIMAL},"features":{"read-only-compatible":["v1_erofs"]}}`, { default: 1, extra: [] }],
    [`{${MINIMAL},"features":{},"erofs_version":2}`, { default: 2, extra: [] }],
    [
      `{${MINIMAL},"features":{"read-only-compatible":["v1_erofs"]},"erofs_formats":{"default":2}}`,
      { default: 1, extra: [] },
    ],
    [
      `{${MINIMAL},"features":{"read-only-compatible":["v1_erofs"]},"erofs_formats":{"default":2,"extra":[2]}}`,
      { default: 2, extra: [2] },
    ],
    [`{${MINIMAL},"erofs_formats":{"default":0}}`, { default: 0, extra: [] }],
  ];
  for (const [text, formats] of cases) {
    it(`reads ${text}`, () => assert.deepEqual(effectiveFormats(parse(text)), formats));
  }
});

/** Objects as others have them. */
const PLAIN = { noNullPrototype: true } as const;

describe('any metadata', () => {
  it('come back from their text', () => {
    const version = fc.constantFrom(0 as const, 1 as const, 2 as const);
    const texts = fc.array(fc.string(), { maxLength: 3 });
    const metadata = fc.record(
      {
        version: fc.nat(0xffff_ffff),
        algorithm: fc.constantFrom<HashAlgorithm>('sha256', 'sha512'),
        features: fc.record({ compatible: texts, readOnlyCompatible: texts, incompatible: texts }, PLAIN),
        erofsFormats: fc.record(
          { default: version, extra: fc.uniqueArray(version).map((extra) => extra.sort()) },
          PLAIN,
        ),
      },
      PLAIN,
    );
    fc.assert(
      fc.property(metadata, (given) => {
        assert.deepEqual(parseMetadata(Buffer.from(serializeMetadata(given))), given);
      }),
    );
  });
});
