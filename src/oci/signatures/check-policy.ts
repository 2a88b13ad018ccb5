import type { KeyObject } from 'node:crypto';
import { ComposefsError, fullMessage } from '../../errors.js';
import type { OciDigest } from '../model/digest.js';
import type { Policy, Requirement, Requirements } from './policy.js';
import type { PolicyIdentity } from './policy-scope.js';
import { isSignedBy, loadPublicKeys } from './public-key.js';
import { matchesIdentity } from './signed-identity.js';
import { parseSimpleSigning } from './simple-signing.js';

/** A cosign signature as it is attached to an image; nothing about it is checked. */
export interface AttachedSignature {
  readonly payload: Buffer;
  /** Over the payload. */
  readonly signature: Buffer;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The signatures that are attached to the manifest with this digest; none is no error. */
export type FetchSignatures = (digest: OciDigest) => Promise<readonly AttachedSignature[]>;

/** What is to be accepted. */
export interface PolicySubject {
  readonly identity: PolicyIdentity;
  /** Of the bytes of the manifest that is pulled. */
  readonly digest: OciDigest;
  readonly fetchSignatures: FetchSignatures;
}

/** The policy does not accept an image. Code `POLICY_REJECTED`. */
export class PolicyRejection extends ComposefsError {
  /** @internal */
  constructor(subject: PolicySubject, policy: Policy, reason: string, hint?: string) {
    const message = `${subject.identity.display} is refused by the signature policy ${policy.origin}: ${reason}`;
    super('POLICY_REJECTED', message, hint === undefined ? {} : { hint });
  }
}

const OTHER_POLICY = 'Change the policy, or name another one with --signature-policy.';

/**
 * Asks the policy whether an image may be used: each requirement of the most special scope that matches must be met.
 *
 * @throws PolicyRejection; PublicKeyError; what `fetchSignatures` throws
 */
export async function checkPolicy(policy: Policy, subject: PolicySubject): Promise<void> {
  let fetched: Promise<readonly AttachedSignature[]> | undefined;
  const signatures = (): Promise<readonly AttachedSignature[]> => {
    fetched ??= subject.fetchSignatures(subject.digest);
    return fetched;
  };
  for (const requirement of requirementsFor(policy, subject)) {
    await checkRequirement(requirement, policy, subject, signatures);
  }
}

/** The requirements of the most special scope that the policy has for an image. */
function requirementsFor(policy: Policy, subject: PolicySubject): Requirements {
  const { transport, scopes, isComplete } = subject.identity;
  const known = policy.transports.get(transport);
  if (known === undefined) return policy.default;
  for (const scope of [...scopes, ...(isComplete ? [''] : [])]) {
    const requirements = known.get(scope);
    if (requirements !== undefined) return requirements;
  }
  const fallback = known.get('');
  if (!isComplete && known.size > (fallback === undefined ? 0 : 1)) {
    throw new PolicyRejection(
      subject,
      policy,
      `the scopes of the transport '${transport}' are not supported`,
      OTHER_POLICY,
    );
  }
  return fallback ?? policy.default;
}

async function checkRequirement(
  requirement: Requirement,
  policy: Policy,
  subject: PolicySubject,
  signatures: () => Promise<readonly AttachedSignature[]>,
): Promise<void> {
  const refuse = (reason: string, hint?: string): never => {
    throw new PolicyRejection(subject, policy, reason, hint);
  };
  switch (requirement.type) {
    case 'insecureAcceptAnything':
      return;
    case 'reject':
      return refuse('it rejects all such images', OTHER_POLICY);
    case 'unsupported':
      return refuse(`it requires ${requirement.what}, which cannot be checked`, OTHER_POLICY);
    case 'sigstoreSigned': {
      const keys = loadPublicKeys(requirement.keys, policy.origin);
      const candidates = await signatures();
      if (candidates.length === 0) return refuse('a signature is required, and there is none');
      const reasons = candidates.map((candidate) => fault(candidate, keys, requirement, subject));
      if (reasons.includes(undefined)) return;
      return refuse([...new Set(reasons)].join('; '));
    }
  }
}

/** Why a signature does not count; undefined if it does. */
function fault(
  { payload, signature }: AttachedSignature,
  keys: readonly KeyObject[],
  { signedIdentity }: Extract<Requirement, { type: 'sigstoreSigned' }>,
  { identity, digest }: PolicySubject,
): string | undefined {
  // Nothing of the payload is even parsed before it is known whose it is.
  if (!keys.some((key) => isSignedBy(key, payload, signature))) return 'a signature is not by a key of the policy';
  let signed: ReturnType<typeof parseSimpleSigning>;
  try {
    signed = parseSimpleSigning(payload);
  } catch (error) {
    return `a signature has a payload that is not understood (${fullMessage(error)})`;
  }
  if (signed.digest !== digest) return `a signature is for another image, ${signed.digest}`;
  if (!matchesIdentity(signedIdentity, identity.reference, signed.reference)) {
    return `a signature is for another name, '${signed.reference}'`;
  }
  return undefined;
}
