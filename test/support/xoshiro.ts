/**
 * `R(n)` of the fixtures: n bytes of xoshiro256++ whose state is four outputs of SplitMix64 started from the seed `n`
 * (spec 30 §14.5, spec 40 §16.5).
 */
export function xoshiroBytes(size: number, seed: number = size): Buffer {
  const words = Math.ceil(size / 8);
  const bytes = Buffer.alloc(8 * words);
  const next = xoshiro256PlusPlus(BigInt(seed));
  for (let i = 0; i < words; i++) bytes.writeBigUInt64LE(next(), 8 * i);
  return bytes.subarray(0, size);
}

function xoshiro256PlusPlus(seed: bigint): () => bigint {
  const nextSeed = splitMix64(seed);
  let s0 = nextSeed();
  let s1 = nextSeed();
  let s2 = nextSeed();
  let s3 = nextSeed();
  return () => {
    const result = u64(rotateLeft(u64(s0 + s3), 23n) + s0);
    const shifted = u64(s1 << 17n);
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= shifted;
    s3 = rotateLeft(s3, 45n);
    return result;
  };
}

function splitMix64(seed: bigint): () => bigint {
  let state = seed;
  return () => {
    state = u64(state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = u64((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = u64((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
}

function rotateLeft(value: bigint, bits: bigint): bigint {
  return u64((value << bits) | (value >> (64n - bits)));
}

function u64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
