import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findInPath } from './programs.js';

/** Servers of other projects, on free ports of 127.0.0.1. */

/** For `skip` of tests: a reason where one of the programs is not installed. */
export function without(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => findInPath(program) === undefined);
  return missing.length > 0 && `not installed: ${missing.join(', ')}`;
}

export interface Server {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  stop(): Promise<void>;
}

export interface DockerRegistryOptions {
  /** Paths. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** The `auth` section of its configuration, as JSON. */
  readonly auth?: object;
}

/** Debian's `docker-registry`, with its files below `directory`. */
export async function startDockerRegistry(directory: string, options: DockerRegistryOptions = {}): Promise<Server> {
  const { tls, auth } = options;
  const host = `127.0.0.1:${await freePort()}`;
  mkdirSync(directory, { recursive: true });
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'storage') } },
    http: { addr: host, ...(tls !== undefined && { tls: { certificate: tls.cert, key: tls.key } }) },
    ...(auth !== undefined && { auth }),
  };
  // JSON is YAML.
  const path = join(directory, 'config.yml');
  writeFileSync(path, JSON.stringify(config));
  return await start(host, 'docker-registry', ['serve', path]);
}

/** nginx as a mirror of a registry: it keeps what it has passed on, and can do without the registry then. */
export async function startNginxMirror(directory: string, upstream: string): Promise<Server> {
  const host = `127.0.0.1:${await freePort()}`;
  mkdirSync(directory, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(directory, name)};`)
    .join('\n    ');
  const path = join(directory, 'nginx.conf');
  writeFileSync(
    path,
    `daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${join(directory, 'pid')};
error_log ${join(directory, 'error.log')};
events {}
http {
    access_log ${join(directory, 'access.log')};
    ${temporary}
    proxy_cache_path ${join(directory, 'cache')} keys_zone=blobs:1m;
    server {
        listen ${host};
        location /v2/ {
            proxy_pass http://${upstream};
            proxy_set_header Host $http_host;
            proxy_cache blobs;
            # Manifests have one address for several types.
            proxy_cache_key $uri$http_accept;
            proxy_cache_valid 200 10m;
        }
    }
}
`,
  );
  return await start(host, 'nginx', ['-e', join(directory, 'error.log'), '-c', path, '-p', directory]);
}

async function start(host: string, program: string, args: readonly string[]): Promise<Server> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await untilListening(host, child).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`${program} does not start: ${said}`, { cause: error });
  });
  return {
    host,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function untilListening(host: string, child: ChildProcess): Promise<void> {
  const port = Number(host.split(':')[1]);
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) throw new Error(`status ${child.exitCode}`);
    if (await accepts(port)) return;
    await setTimeout(50);
  }
  throw new Error('nothing listens');
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (result: boolean) => (): void => {
      socket.destroy();
      resolve(result);
    };
    socket.on('connect', end(true)).on('error', end(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** An authority and a server's certificate for 127.0.0.1 that it has signed: paths. */
export interface TestCertificates {
  readonly ca: { readonly key: string; readonly cert: string };
  readonly server: { readonly key: string; readonly cert: string };
}

/** Makes them with openssl. */
export async function makeCertificates(directory: string): Promise<TestCertificates> {
  mkdirSync(directory, { recursive: true });
  const file = (name: string): string => join(directory, name);
  const openssl = async (...args: readonly string[]): Promise<void> => {
    await promisify(execFile)('openssl', args);
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const ca = { key: file('ca.key'), cert: file('ca.crt') };
  const server = { key: file('server.key'), cert: file('server.crt') };
  await openssl('req', '-x509', ...newKey, '-keyout', ca.key, '-out', ca.cert, '-days', '2', '-subj', '/CN=test CA');
  await openssl('req', ...newKey, '-keyout', server.key, '-out', file('server.csr'), '-subj', '/CN=127.0.0.1');
  writeFileSync(file('extensions'), 'subjectAltName=IP:127.0.0.1\n');
  const signing = ['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial', '-days', '2', '-extfile', file('extensions')];
  await openssl('x509', '-req', '-in', file('server.csr'), '-out', server.cert, ...signing);
  return { ca, server };
}
