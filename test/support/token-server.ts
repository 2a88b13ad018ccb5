import { createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

export interface TokenServer {
  /** The `auth` section of docker-registry's configuration. */
  readonly registryAuth: object;
  /** Its requests: what was asked for, and by whom. */
  readonly asked: { readonly scopes: readonly string[]; readonly user: string | undefined }[];
  close(): Promise<void>;
}

const ISSUER = 'test tokens';
const SERVICE = 'test registry';

/**
 * A token server for docker-registry (Docker's token authentication): one user may do everything, all others nothing.
 *
 * @param key - paths of an EC P-256 key and its certificate, with which the tokens are signed.
 */
export async function startTokenServer(
  paths: { readonly key: string; readonly cert: string },
  user: string,
  password: string,
): Promise<TokenServer> {
  const key = createPrivateKey(readFileSync(paths.key));
  const certificate = new X509Certificate(readFileSync(paths.cert)).raw.toString('base64');
  const asked: { scopes: string[]; user: string | undefined }[] = [];
  const server = createServer((request, response) => {
    const scopes = new URL(request.url ?? '/', 'http://localhost').searchParams.getAll('scope');
    const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const given = basic === undefined ? undefined : Buffer.from(basic, 'base64').toString();
    asked.push({ scopes, user: given?.split(':')[0] });
    if (given !== `${user}:${password}`) {
      response.writeHead(401).end();
      return;
    }
    const token = jsonWebToken({ alg: 'ES256', typ: 'JWT', x5c: [certificate] }, claims(user, scopes), (data) =>
      sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
    );
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ token, expires_in: 300 }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const realm = `http://127.0.0.1:${address.port}/token`;
  return {
    registryAuth: { token: { realm, service: SERVICE, issuer: ISSUER, rootcertbundle: paths.cert } },
    asked,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function claims(user: string, scopes: readonly string[]): object {
  const now = Math.floor(Date.now() / 1000);
  const access = scopes.map((scope) => {
    const [type, ...rest] = scope.split(':');
    const actions = rest.pop()?.split(',') ?? [];
    return { type, name: rest.join(':'), actions };
  });
  return { iss: ISSUER, sub: user, aud: SERVICE, nbf: now - 10, iat: now, exp: now + 300, jti: randomUUID(), access };
}

function jsonWebToken(header: object, payload: object, signer: (data: Buffer) => Buffer): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${signer(Buffer.from(signed)).toString('base64url')}`;
}
