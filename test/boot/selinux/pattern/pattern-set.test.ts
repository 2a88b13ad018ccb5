import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compilePattern } from '../../../../src/boot/selinux/pattern/compile-pattern.js';
import { LazyDfa } from '../../../../src/boot/selinux/pattern/lazy-dfa.js';
import { PatternSet } from '../../../../src/boot/selinux/pattern/pattern-set.js';
import { ProgramBuilder } from '../../../../src/boot/selinux/pattern/program.js';
import { WorkBudget } from '../../../../src/boot/selinux/pattern/work-budget.js';
import type { ByteString } from '../../../../src/bytes/byte-string.js';
import { lastMatch } from './matching.js';

/** Patterns that mean the same to JavaScript with the flag `s`. */
function regularPattern(): fc.Arbitrary<string> {
  const atom = fc.constantFrom(
    ...['a', 'b', '/', '\\.', '.', '[^/]', '[ab]', '[^a]', '[a-c]', '\\d', '\\w', '\\D', '\\W', '-', '(?:)', '\\xe9'],
  );
  const quantifier = fc.constantFrom('*', '+', '?', '*?', '+?', '??', '{2}', '{1,2}', '{0,2}', '{1,}');
  return fc.letrec<{ pattern: string }>((tie) => ({
    pattern: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      atom,
      fc.constantFrom('(?:/.*)?', '^', '$', '\\b', '\\B'),
      fc.tuple(tie('pattern'), tie('pattern')).map((parts) => parts.join('')),
      fc.tuple(tie('pattern'), tie('pattern')).map((parts) => `(?:${parts.join('|')})`),
      fc.tuple(tie('pattern'), quantifier).map(([of, how]) => `(?:${of})${how}`),
      fc.tuple(fc.constantFrom('=', '!', '<=', '<!'), atom).map(([kind, of]) => `(?${kind}${of})`),
      fc.tuple(fc.constantFrom('=', '!'), tie('pattern')).map(([kind, of]) => `(?${kind}${of})`),
    ),
  })).pattern;
}

const subject = () => fc.array(fc.constantFrom(...'aab/.-1_\xe9x'), { maxLength: 8 }).map((bytes) => bytes.join(''));

/** A quantifier behind a lookaround means something else to JavaScript, or nothing. */
const isBounded = (pattern: string) => pattern.length < 120;

test('patterns match what they match in JavaScript', () => {
  fc.assert(
    fc.property(
      regularPattern().filter(isBounded),
      fc.array(subject(), { minLength: 10, maxLength: 20 }),
      (pattern, subjects) => {
        const set = new PatternSet([compilePattern(`^(?:${pattern})$`)]);
        const expression = new RegExp(`^(?:${pattern})$`, 's');
        for (const of of subjects) {
          assert.equal(lastMatch(set, of) === 0, expression.test(of), JSON.stringify(of));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('of many patterns the last that matches wins, however the subject is put together', () => {
  const patterns = fc.array(regularPattern().filter(isBounded), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(patterns, fc.array(fc.array(subject(), { maxLength: 4 }), { minLength: 4 }), (all, subjects) => {
      const set = new PatternSet(all.map((pattern) => compilePattern(`^(?:${pattern})$`)));
      const expressions = all.map((pattern) => new RegExp(`^(?:${pattern})$`, 's'));
      for (const pieces of subjects) {
        const beginning = pieces.reduce((path, piece) => set.extend(path, piece as ByteString), set.empty);
        const whole = pieces.join('');
        const expected = expressions.findLastIndex((expression) => expression.test(whole));
        assert.equal(beginning.text, whole);
        assert.equal(set.lastMatch(beginning), expected < 0 ? undefined : expected);
      }
    }),
    { numRuns: 300 },
  );
});

test('patterns of both dialects, with and without lookarounds, are in one order', () => {
  const patterns = ['^a.*$', '^a(?=b).*$', '^ab.$', '^ab(?!c).$', '^x|(?=b)b$'];
  const set = new PatternSet(patterns.map(compilePattern));
  const winners = ['a', 'ab', 'abc', 'abd', 'acd', 'x', 'xx', 'b', 'zb', 'bz'].map((of) => lastMatch(set, of));
  assert.deepEqual(winners, [0, 4, 2, 3, 0, 4, 4, 4, 4, undefined]);
});

test('a beginning that matches is enough where a pattern does not ask for the end', () => {
  const set = new PatternSet(['^(a)|(b)c$', 'd|e$', '(?=)q'].map(compilePattern));
  // The reference looks at the start only for what its automaton takes, and everywhere for what PCRE2 takes.
  const winners = ['ax', 'bc', 'bcx', 'xbc', 'dx', 'xd', 'e', 'ex', 'xqx'].map((of) => lastMatch(set, of));
  assert.deepEqual(winners, [0, 0, undefined, undefined, 1, undefined, 1, undefined, 2]);
});

test('states that are forgotten are found again', () => {
  const builder = new ProgramBuilder();
  const start = builder.newPrefix();
  builder.addPattern(start, compilePattern('^/.*a.{6}$'), 0);
  const budget = new WorkBudget(1e9);
  const dfa = new LazyDfa(builder.finish(), start.state, () => false, budget, 2000);
  const expression = /^\/.*a.{6}$/s;
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 }), { maxLength: 30 }), (ends) => {
      const half = dfa.run(dfa.start, '/ba');
      for (const end of ends) {
        const isFound = dfa.candidates(dfa.run(half, end)).length === 1;
        assert.equal(isFound, expression.test(`/ba${end}`), end);
      }
    }),
  );
});
