import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { sha256 } from './sha256.js';

/** PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority in memory (X.509 v3, ECDSA P-256), so that tests of TLS need no other program. */
export class TestAuthority {
  /** PEM, self-signed. */
  readonly cert: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name: string) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#name = name;
    this.#key = privateKey;
    const basicConstraints = extension('551d13', sequence(element(0x01, Buffer.of(0xff))), true);
    this.cert = this.#certificate(name, publicKey, [basicConstraints]);
  }

  /** A certificate for host names and addresses; for a client, `name` is what the server sees. */
  issue(names: readonly string[], name: string = names[0] ?? 'nobody'): TestCertificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const general = names.map((each) => {
      const address = addressBytes(each);
      return address === undefined ? element(0x82, Buffer.from(each, 'latin1')) : element(0x87, address);
    });
    const extensions = general.length === 0 ? [] : [extension('551d11', sequence(...general))];
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { cert: this.#certificate(name, publicKey, extensions), key };
  }

  #certificate(subject: string, publicKey: KeyObject, extensions: readonly Buffer[]): string {
    const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'));
    const toBeSigned = sequence(
      element(0xa0, element(0x02, Buffer.of(2))),
      element(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
      ecdsaWithSha256,
      distinguishedName(this.#name),
      sequence(element(0x17, Buffer.from('200101000000Z')), element(0x17, Buffer.from('491231235959Z'))),
      distinguishedName(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      element(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', toBeSigned, this.#key);
    const der = sequence(toBeSigned, ecdsaWithSha256, element(0x03, Buffer.concat([Buffer.of(0), signature])));
    const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  }
}

/** Hex, to compare certificates by. */
export function fingerprint(der: Buffer): string {
  return sha256(der);
}

/** The 4 or 16 bytes of an IP address; undefined for a name. */
function addressBytes(text: string): Buffer | undefined {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  if (!isIPv6(text)) return undefined;
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((each) => Number.parseInt(each, 16));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** One DER element (X.690). */
function element(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const size = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

function objectId(hex: string): Buffer {
  return element(0x06, Buffer.from(hex, 'hex'));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(element(0x31, sequence(objectId('550403'), element(0x0c, Buffer.from(commonName)))));
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
  const critical = isCritical ? [element(0x01, Buffer.of(0xff))] : [];
  return sequence(objectId(id), ...critical, element(0x04, value));
}
