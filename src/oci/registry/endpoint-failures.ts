import { ComposefsError } from '../../errors.js';
import { RegistryError, registryCode } from '../model/registry-error.js';

/** The failures of one endpoint after the other: what the last one said, the registry itself, is the reason. */
export class EndpointFailures {
  readonly #failures: { host: string; error: unknown }[] = [];

  add(host: string, error: unknown): void {
    this.#failures.push({ host, error });
  }

  error(): unknown {
    const last = this.#failures.at(-1);
    const earlier = this.#failures.slice(0, -1);
    if (last === undefined) return new RegistryError('NO_ENDPOINT', 'No registry is configured for the image');
    if (earlier.length === 0 || !(last.error instanceof ComposefsError)) return last.error;
    const mirrors = earlier.map(({ host, error }) => `${host}: ${error instanceof Error ? error.message : error}`);
    const { code, message, hint, cause } = last.error;
    const full = `${message} (mirrors failed before: ${mirrors.join('; ')})`;
    const { status } = last.error instanceof RegistryError ? last.error : {};
    const details = { ...(hint !== undefined && { hint }), ...(status !== undefined && { status }) };
    return new RegistryError(registryCode(code), full, { cause, ...details });
  }
}
