import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxiesFromEnvironment, proxyFor } from '../../../src/oci/http/proxy.js';

function proxied(url: string, none: string): boolean {
  return proxyFor(new URL(url), { http: 'http://proxy:3128', https: 'http://proxy:3128', none }) !== undefined;
}

test('each scheme has its proxy', () => {
  const settings = { http: 'http://one:1', https: 'two:2' };
  assert.equal(proxyFor(new URL('http://a.test/'), settings)?.href, 'http://one:1/');
  assert.equal(proxyFor(new URL('https://a.test/'), settings)?.href, 'http://two:2/');
  assert.equal(proxyFor(new URL('https://a.test/'), { http: 'http://one:1' }), undefined);
});

test('this machine is reached without a proxy', () => {
  for (const host of ['localhost', 'localhost:5000', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000']) {
    assert.equal(proxied(`http://${host}/`, ''), false, host);
  }
});

const CASES: readonly [none: string, url: string, proxied: boolean][] = [
  ['example.com', 'https://example.com/', false],
  ['example.com', 'https://a.b.example.com/', false],
  ['example.com', 'https://notexample.com/', true],
  ['.example.com', 'https://example.com/', true],
  ['.example.com', 'https://a.example.com/', false],
  ['*.example.com', 'https://a.example.com/', false],
  ['example.com:5000', 'https://example.com:5000/', false],
  ['example.com:5000', 'https://example.com/', true],
  ['example.com:443', 'https://example.com/', false],
  ['a.test, EXAMPLE.com', 'https://example.com/', false],
  ['*', 'https://example.com/', false],
  ['10.0.0.0/8', 'https://10.1.2.3/', false],
  ['10.0.0.0/8', 'https://11.1.2.3/', true],
  ['10.0.0.0/99', 'https://10.1.2.3/', true],
  ['fd00::/8', 'https://[fd00::1]/', false],
  ['192.0.2.1', 'https://192.0.2.1/', false],
  ['192.0.2.1:80', 'http://192.0.2.1/', false],
  ['2.1', 'https://192.0.2.1/', true],
  ['', 'https://example.com/', true],
];

for (const [none, url, expected] of CASES) {
  test(`NO_PROXY=${none} and ${url}`, () => assert.equal(proxied(url, none), expected));
}

test('the environment is read in upper and in lower case; a CGI program does not trust HTTP_PROXY', () => {
  assert.deepEqual(proxiesFromEnvironment({ HTTPS_PROXY: 'a', http_proxy: 'b', no_proxy: 'c' }), {
    http: 'b',
    https: 'a',
    none: 'c',
  });
  assert.deepEqual(proxiesFromEnvironment({ HTTP_PROXY: 'a', REQUEST_METHOD: 'GET' }), {});
  assert.deepEqual(proxiesFromEnvironment({ HTTP_PROXY: '' }), {});
});

test('a proxy that cannot be used is an error that does not show it', () => {
  const wrong = (http: string): void => {
    assert.throws(
      () => proxyFor(new URL('http://a.test/'), { http }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'INVALID_PROXY');
        assert.ok(!error.message.includes('secret'));
        return true;
      },
    );
  };
  wrong('http://user:secret@[');
  wrong('socks5://user:secret@a:1');
});
