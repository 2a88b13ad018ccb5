import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from '../../../src/oci/registry/challenge.js';
import { cpuTime } from '../../support/cpu-time.js';

function parse(header: string): unknown {
  return parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

test('one bearer challenge', () => {
  const header =
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"';
  assert.deepEqual(parse(header), [
    [
      'bearer',
      { realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'repository:a/b:pull,push' },
    ],
  ]);
});

test('several challenges, white space, tokens without quotes, names in any case', () => {
  assert.deepEqual(parse('Negotiate, Basic Realm = "a, \\"b\\"" , BEARER realm=x ,service=y'), [
    ['negotiate', {}],
    ['basic', { realm: 'a, "b"' }],
    ['bearer', { realm: 'x', service: 'y' }],
  ]);
});

test('data without a name is passed over', () => {
  assert.deepEqual(parse('Negotiate YWJj==, Basic realm="x"'), [
    ['negotiate', {}],
    ['basic', { realm: 'x' }],
  ]);
});

test('of a parameter that comes twice the first counts', () => {
  assert.deepEqual(parse('Bearer realm="a",realm="b"'), [['bearer', { realm: 'a' }]]);
});

test('what comes after a fault does not count', () => {
  assert.deepEqual(parse('Bearer realm="a",service="b'), [['bearer', { realm: 'a' }]]);
  assert.deepEqual(parse(''), []);
  assert.deepEqual(parse('"'), []);
});

test('long nonsense takes no long time', () => {
  const start = cpuTime();
  for (const part of ['a', 'a=', 'a ', '"', 'a,', '\\', 'a="']) parseChallenges(`Bearer ${part.repeat(20_000)}`);
  assert.ok(cpuTime() - start < 1000);
});
