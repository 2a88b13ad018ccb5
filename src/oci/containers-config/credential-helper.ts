import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import * as v from 'valibot';
import { ComposefsError } from '../../errors.js';
import { validate } from '../../json/schema.js';
import { findProgram } from '../../linux/find-program.js';
import { displayText } from '../model/registry-error.js';

/** What a helper knows of a registry. */
export interface HelperCredentials {
  readonly username: string;
  /** A password; for the user `<token>` an identity token. */
  readonly secret: string;
}

export interface HelperOptions {
  readonly environment?: NodeJS.ProcessEnv | undefined;
  readonly signal?: AbortSignal | undefined;
  /** It may wait for a user to unlock a key ring. Default: one minute. */
  readonly timeoutMs?: number | undefined;
}

/** A credential helper failed. Code `CREDENTIAL_HELPER`; never shows a secret. */
export class CredentialHelperError extends ComposefsError {
  constructor(message: string, details: { cause?: unknown; hint?: string } = {}) {
    super('CREDENTIAL_HELPER', message, details);
  }
}

/** The helper is not installed. */
export class MissingHelperError extends CredentialHelperError {
  readonly helper: string;

  constructor(name: string, cause?: unknown) {
    super(`There is no program ${program(name)}`, {
      ...(cause !== undefined && { cause }),
      hint: 'Install it, or remove it from the configuration of credentials.',
    });
    this.helper = name;
  }

  /** As the reason why a registry refused. */
  withCause(cause: unknown): MissingHelperError {
    return new MissingHelperError(this.helper, cause);
  }
}

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1 << 20;
/** What helpers print on standard output, with a status that is not 0, when they have nothing. */
const NOT_FOUND = 'credentials not found in native keychain';

const answer = v.object({ Username: v.string(), Secret: v.string() });

/**
 * Asks `docker-credential-NAME` for the credentials of a server (the protocol of docker-credential-helpers: the action
 * is the argument, input and output go through pipes). Undefined if it has none.
 *
 * @throws CredentialHelperError; the signal's reason.
 */
export async function getFromHelper(
  name: string,
  server: string,
  options: HelperOptions = {},
): Promise<HelperCredentials | undefined> {
  const { status, output } = await run(name, 'get', server, options);
  if (status !== 0) {
    if (output.trim() === NOT_FOUND) return undefined;
    throw failed(name, 'get', server, status, output);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(output);
  } catch {
    parsed = undefined;
  }
  const { Username: username, Secret: secret } = validate(
    answer,
    parsed,
    () => new CredentialHelperError(`${program(name)} does not answer with credentials for ${server}`),
  );
  return { username, secret };
}

/** @throws CredentialHelperError; the signal's reason. */
export async function storeInHelper(
  name: string,
  server: string,
  credentials: HelperCredentials,
  options: HelperOptions = {},
): Promise<void> {
  const input = JSON.stringify({ ServerURL: server, Username: credentials.username, Secret: credentials.secret });
  const { status, output } = await run(name, 'store', input, options);
  if (status !== 0) throw failed(name, 'store', server, status, output);
}

/** False if there was nothing to erase. */
export async function eraseFromHelper(name: string, server: string, options: HelperOptions = {}): Promise<boolean> {
  const { status, output } = await run(name, 'erase', server, options);
  if (status === 0) return true;
  if (output.trim() === NOT_FOUND) return false;
  throw failed(name, 'erase', server, status, output);
}

function program(name: string): string {
  return `docker-credential-${name}`;
}

function failed(name: string, action: string, server: string, status: number | null, output: string): Error {
  // The answer to a request that failed is an error's text; still, what is not a line of text is not shown.
  const reason = output.includes('{') ? '' : displayText(output);
  const suffix = reason === '' ? '' : `: ${reason}`;
  return new CredentialHelperError(`${program(name)} ${action} fails for ${server} with status ${status}${suffix}`);
}

async function run(
  name: string,
  action: string,
  input: string,
  options: HelperOptions,
): Promise<{ status: number | null; output: string }> {
  options.signal?.throwIfAborted();
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw new CredentialHelperError(`'${name}' is no credential helper`);
  const path = findProgram(program(name), options.environment);
  if (path === undefined) throw new MissingHelperError(name);
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  const signals = options.signal === undefined ? [controller.signal] : [controller.signal, options.signal];
  try {
    return await converse(path, action, input, options.environment, AbortSignal.any(signals));
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (controller.signal.aborted) {
      throw new CredentialHelperError(`${program(name)} does not answer within ${timeoutMs / 1000} seconds`);
    }
    if (cause instanceof CredentialHelperError) throw cause;
    throw new CredentialHelperError(`${program(name)} cannot be run`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

function converse(
  command: string,
  action: string,
  input: string,
  environment: NodeJS.ProcessEnv | undefined,
  signal: AbortSignal,
): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [action], {
      stdio: ['pipe', 'pipe', 'ignore'],
      signal,
      killSignal: 'SIGKILL',
      ...(environment !== undefined && { env: environment }),
    });
    const chunks: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= MAX_OUTPUT_BYTES) return;
      child.kill('SIGKILL');
      reject(new CredentialHelperError(`${basename(command)} answers with more than ${MAX_OUTPUT_BYTES} bytes`));
    });
    // A helper that does not read its input, or that does not exist: its status tells.
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output: Buffer.concat(chunks).toString('utf8') }));
    child.stdin.end(input);
  });
}
