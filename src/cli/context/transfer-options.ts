import { ComposefsError } from '../../errors.js';
import type { GivenCredentials, HttpTimeouts, RegistryConfigOptions } from '../../index.js';
import { type CfsctlOption, choice, value, wholeNumber } from './options.js';
import { canPrompt, prompt } from './prompt.js';
import { type RegistryOptions, registryConfig } from './registry-options.js';
import { UsageError } from './usage-error.js';

/** How to deal with registries and their failures. */
export interface TransferOptions extends RegistryOptions {
  readonly creds?: string;
  /** Further attempts after a failed request. */
  readonly retry?: number;
  /** Seconds. */
  readonly timeout?: number;
}

export function credsOption(): CfsctlOption {
  return value('--creds <USER[:PASSWORD]>', 'Credentials for the registry; a password that is left out is asked for');
}

export function retryOptions(): CfsctlOption[] {
  const retry = wholeNumber('--retry <COUNT>', 'Further attempts after a request that failed', 0, 1000);
  retry.default(undefined, '4');
  const timeout = wholeNumber('--timeout <SECONDS>', 'How long a registry may be silent', 1, 86_400);
  timeout.default(undefined, '60');
  return [retry, timeout];
}

const PROGRESS_MODES: readonly string[] = ['auto', 'bar', 'plain', 'json', 'none'];

export function progressOption(): CfsctlOption {
  const progress = choice('--progress <PROGRESS>', 'How to show progress, on standard error', PROGRESS_MODES);
  progress.default(undefined, 'auto');
  return progress;
}

export function progressFdOption(): CfsctlOption {
  return wholeNumber('--progress-fd <FD>', 'Write progress to this descriptor, as lines of JSON', 2, 65_535);
}

/** What the library is told. */
export interface TransferSettings {
  readonly registry: RegistryConfigOptions;
  readonly timeouts: Partial<HttpTimeouts>;
  readonly retry?: { readonly attempts: number };
}

/** Asks for a password, if one is left out. */
export async function transferSettings(options: TransferOptions): Promise<TransferSettings> {
  const { creds, retry, timeout } = options;
  const milliseconds = timeout === undefined ? undefined : timeout * 1000;
  return {
    registry: {
      ...registryConfig(options),
      ...(creds !== undefined && { credentials: await parseCredentials(creds) }),
    },
    timeouts:
      milliseconds === undefined ? {} : { connectMs: milliseconds, headersMs: milliseconds, idleMs: milliseconds },
    ...(retry !== undefined && { retry: { attempts: retry + 1 } }),
  };
}

/** `USER[:PASSWORD]`; a password that is left out is asked for, as by podman. */
async function parseCredentials(text: string): Promise<GivenCredentials> {
  const colon = text.indexOf(':');
  const username = colon < 0 ? text : text.slice(0, colon);
  if (username === '') {
    throw new UsageError(`invalid value for '--creds <USER[:PASSWORD]>': the user name is empty`);
  }
  if (colon >= 0) return { username, password: text.slice(colon + 1) };
  if (!canPrompt()) {
    throw new ComposefsError('NO_TERMINAL', `There is no terminal to ask for the password of '${username}'`, {
      hint: 'give --creds USER:PASSWORD, or log in first with `cfsctl oci login`',
    });
  }
  return { username, password: await prompt('Password: ', { secret: true }) };
}
