import { ComposefsError } from '../../errors.js';
import {
  findCredentials,
  type GivenCredentials,
  type LoginTarget,
  login,
  parseLoginTarget,
  type RegistryConfigOptions,
} from '../../index.js';
import type { Context } from '../context/context.js';
import { withInterrupt } from '../context/interrupt.js';
import { canPrompt, prompt, readStandardInput } from '../context/prompt.js';
import { type RegistryOptions, registryConfig } from '../context/registry-options.js';
import { parseArgumentValue } from '../context/usage-error.js';
import { printToStderr } from '../terminal/warning.js';

export interface OciLoginOptions extends RegistryOptions {
  readonly username?: string;
  readonly password?: string;
  readonly passwordStdin?: boolean;
  readonly getLogin?: boolean;
}

export async function ociLogin(context: Context, registry: string, options: OciLoginOptions): Promise<void> {
  const target = parseArgumentValue('<REGISTRY>', registry, parseLoginTarget);
  const config = registryConfig(options);
  const { output } = context;
  if (options.getLogin === true) {
    await output.line(await storedUser(target, config));
    return;
  }
  const credentials = await askCredentials(target, options, config);
  const place = await withInterrupt((signal) => login(target, credentials, { ...config, signal }));
  await output.line('Login Succeeded!');
  if (process.stderr.isTTY) printToStderr(`Credentials are in ${place}`);
}

async function storedUser(target: LoginTarget, config: RegistryConfigOptions): Promise<string> {
  const username = await findUser(target, config);
  if (username !== undefined) return username;
  throw new ComposefsError('NOT_LOGGED_IN', `Not logged in to ${target.key}`, {
    hint: `log in with \`cfsctl oci login ${target.key}\``,
  });
}

async function findUser({ host, repository }: LoginTarget, config: RegistryConfigOptions): Promise<string | undefined> {
  return (await findCredentials(host, repository, config))?.username;
}

/** What the options leave out is asked for. */
async function askCredentials(
  target: LoginTarget,
  options: OciLoginOptions,
  config: RegistryConfigOptions,
): Promise<GivenCredentials> {
  const username = options.username ?? (await askUser(target, config));
  const password = options.passwordStdin === true ? await readStandardInput() : options.password;
  const given = password ?? (await askPassword());
  if (given === '') throw new ComposefsError('EMPTY_PASSWORD', 'The password is empty');
  return { username, password: given };
}

async function askUser(target: LoginTarget, config: RegistryConfigOptions): Promise<string> {
  requireTerminal('a user name', '--username');
  // A file that is yet to be written has no name to offer.
  const known = await findUser(target, config).catch(() => undefined);
  const answer = await prompt(known === undefined ? 'Username: ' : `Username (${known}): `);
  const username = answer.trim() || known;
  if (username === undefined) throw new ComposefsError('EMPTY_USERNAME', 'The user name is empty');
  return username;
}

async function askPassword(): Promise<string> {
  requireTerminal('a password', '--password-stdin');
  return await prompt('Password: ', { secret: true });
}

function requireTerminal(what: string, option: string): void {
  if (canPrompt()) return;
  throw new ComposefsError('NO_TERMINAL', `There is no terminal to ask for ${what}`, {
    hint: `give it with ${option}`,
  });
}
