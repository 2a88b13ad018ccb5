/**
 * CRC-64/GO-ISO, as tar-split notes it of every file (spec 60 §8.1): polynomial 0x1b, reflected, in halves of 32 bits.
 */
const POLYNOMIAL_HIGH = 0xd8000000;

const [HIGH, LOW] = makeTables();

export class Crc64 {
  #high = 0xffffffff;
  #low = 0xffffffff;

  update(data: Uint8Array): this {
    let high = this.#high;
    let low = this.#low;
    for (let at = 0; at < data.length; at++) {
      const index = (low ^ (data[at] ?? 0)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (LOW[index] ?? 0);
      high = (high >>> 8) ^ (HIGH[index] ?? 0);
    }
    this.#high = high;
    this.#low = low;
    return this;
  }

  /** 8 bytes, big-endian. */
  digest(): Buffer {
    const result = Buffer.alloc(8);
    result.writeUInt32BE(~this.#high >>> 0, 0);
    result.writeUInt32BE(~this.#low >>> 0, 4);
    return result;
  }
}

function makeTables(): readonly [Int32Array, Int32Array] {
  const highs = new Int32Array(256);
  const lows = new Int32Array(256);
  for (let index = 0; index < 256; index++) {
    let high = 0;
    let low = index;
    for (let bit = 0; bit < 8; bit++) {
      const carry = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (carry === 1) high ^= POLYNOMIAL_HIGH;
    }
    highs[index] = high;
    lows[index] = low;
  }
  return [highs, lows];
}
