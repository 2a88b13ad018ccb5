import { paxHeader, tarArchive, tarDirectory, tarEntry, tarFile, tarSymlink } from './tar-builder.js';
import { xoshiroBytes } from './xoshiro.js';

/** One layer of a fixture: its tar, and what the specification says about it (sha256 repository). */
export interface FixtureLayer {
  readonly tar: Buffer;
  /** SHA-256 of the tar in hex: the diff_id without its prefix. */
  readonly sha256: string;
  readonly splitStreamSize: number;
  /** fs-verity digest of the splitstream. */
  readonly splitStreamId: string;
}

/** The base image of spec 30 §14.5 V3 and spec 40 §16.5: five layers. */
export function baseImageLayers(): FixtureLayer[] {
  return [
    {
      tar: tarArchive(directories('usr', 'usr/bin', 'usr/lib', 'usr/share', 'etc', 'var', 'tmp')),
      sha256: 'f80cd27a34adf42f4014273c2816af788d4ded894bd6629f3e7e75347fc5df5b',
      splitStreamSize: 270,
      splitStreamId: 'aeddaad1185f87c40f6fa9385552a97b727adcbe4a8204aad9817707092e50c8',
    },
    {
      tar: tarArchive([
        ...directories('usr', 'usr/bin'),
        tarFile('usr/bin/busybox', xoshiroBytes(4096), { mode: 0o755 }),
        tarSymlink('usr/bin/sh', 'busybox'),
      ]),
      sha256: 'cfb2c8c53ee695edebf290607278345e994dd6862c215176777766faca8c8cfe',
      splitStreamSize: 301,
      splitStreamId: '87810ff250b2c2e2a93e02519c13f981154fae9cf91c74b64e6c3026968c4fea',
    },
    {
      tar: tarArchive([
        ...directories('usr', 'usr/bin'),
        ...['ls', 'cat', 'cp', 'mv'].map(busyboxLink),
        pingCapability(),
        ...['ping', 'rm'].map(busyboxLink),
      ]),
      sha256: 'f8c1be3202189237741715024dcb0c3bbb48aff933380e8f1432752a5d4f4e83',
      splitStreamSize: 374,
      splitStreamId: '41ed3b95652cc920e500c3bfda8cb8079bc20490973e2a459232ab6f7c4c8955',
    },
    {
      tar: tarArchive([
        ...directories('etc'),
        tarFile('etc/os-release', 'ID=test\nVERSION_ID=1.0\n'),
        tarFile('etc/hostname', 'test-host'),
        tarFile('etc/passwd', xoshiroBytes(100)),
      ]),
      sha256: '0c190d1753d3194a1dac391d266efd2a0bbdc1a41f5c9172f68223c2c43dcdc5',
      splitStreamSize: 368,
      splitStreamId: '199a844012a4a8a934b569424ac28b81784ae3f094f7fd6e6ba40eecc955db55',
    },
    {
      tar: tarArchive([
        ...directories('usr', 'usr/share', 'usr/share/doc'),
        tarFile('usr/share/doc/README', xoshiroBytes(512)),
        ...directories('var', 'var/data'),
        tarFile('var/data/app.json', xoshiroBytes(256)),
      ]),
      sha256: '6ce78280a6775897b2c6ae1a4e53140b4923f4513cfb99658a7a0e2a0ed45e5e',
      splitStreamSize: 374,
      splitStreamId: 'fef75671d131a96c1592d1f0373ab7494c6600a4a6440258e0283f84949a801f',
    },
  ];
}

/** The dumpfile of the base image after the OCI transformation with default options. */
export const BASE_IMAGE_DUMP = `/ 0 40755 6 0 0 0 0.0 - - -
/etc 0 40755 2 0 0 0 0.0 - - -
/etc/hostname 9 100644 1 0 0 0 0.0 - test-host -
/etc/os-release 23 100644 1 0 0 0 0.0 - ID=test\\nVERSION_ID=1.0\\n -
/etc/passwd 100 100644 1 0 0 0 0.0 f2/c4fd5735bd46db3b18d402ae87c5086c97c0e1321901cfd30f320b73ef25aa - f2c4fd5735bd46db3b18d402ae87c5086c97c0e1321901cfd30f320b73ef25aa
/tmp 0 40755 2 0 0 0 0.0 - - -
/usr 0 40755 5 0 0 0 0.0 - - -
/usr/bin 0 40755 2 0 0 0 0.0 - - -
/usr/bin/busybox 4096 100755 1 0 0 0 0.0 f0/f7e1e58fdd31f5792222087377a4a976760c416ecdf5f426193e608681b7a1 - f0f7e1e58fdd31f5792222087377a4a976760c416ecdf5f426193e608681b7a1
/usr/bin/cat 7 120777 1 0 0 0 0.0 busybox - -
/usr/bin/cp 7 120777 1 0 0 0 0.0 busybox - -
/usr/bin/ls 7 120777 1 0 0 0 0.0 busybox - -
/usr/bin/mv 7 120777 1 0 0 0 0.0 busybox - -
/usr/bin/ping 7 120777 1 0 0 0 0.0 busybox - - security.capability=\\x02\\x00\\x00\\x02\\x00\\x20\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00
/usr/bin/rm 7 120777 1 0 0 0 0.0 busybox - -
/usr/bin/sh 7 120777 1 0 0 0 0.0 busybox - -
/usr/lib 0 40755 2 0 0 0 0.0 - - -
/usr/share 0 40755 3 0 0 0 0.0 - - -
/usr/share/doc 0 40755 2 0 0 0 0.0 - - -
/usr/share/doc/README 512 100644 1 0 0 0 0.0 51/44b8f80be57c3518f410d930e18c4e405387c82e4993c18265a1ba4a80263b - 5144b8f80be57c3518f410d930e18c4e405387c82e4993c18265a1ba4a80263b
/var 0 40755 3 0 0 0 0.0 - - -
/var/data 0 40755 2 0 0 0 0.0 - - -
/var/data/app.json 256 100644 1 0 0 0 0.0 c9/21965b74ac1780bc437cec640b27186d85317b9afdb3dbb68626aed5ecd2b6 - c921965b74ac1780bc437cec640b27186d85317b9afdb3dbb68626aed5ecd2b6
`;

/** The three one-file layers of spec 30 §14.1 T3, T4 and spec 40 §16.1. */
export function zeroFileLayers(): FixtureLayer[] {
  return [
    {
      tar: tarArchive([tarFile('alpha', Buffer.alloc(1000), { mode: 0o700 })]),
      sha256: '757d6903198804b6ed96421a93a9973f5facc0e445a2a6c61cb0129eb67026e2',
      splitStreamSize: 237,
      splitStreamId: '61c07629b8a41273f190744a8545c132e6b784dcb2235bb31ade307a83e092ff',
    },
    {
      tar: tarArchive([tarFile('beta', Buffer.alloc(2000), { mode: 0o700 })]),
      sha256: '77dd145166ef191089dabd4d2c52d32143850a3c81a074fedf48dca360e2dcb9',
      splitStreamSize: 236,
      splitStreamId: 'ce472620ab69da46e385b0936865ef22f940e6bf55a083d3be37b1003795e221',
    },
    {
      tar: tarArchive([tarFile('gamma', Buffer.alloc(3000), { mode: 0o700 })]),
      sha256: '9b57f0e91c403b650e9391fd5e4154cac5dc1469acc0f3312e6149aa34f160ef',
      splitStreamSize: 237,
      splitStreamId: '99ce11df4bb808a1e80ce69425dae527b64aa7a270bf99c4a6e24d66be270f3f',
    },
  ];
}

/** The layer of spec 30 §14.5 V1. */
export function boundaryFilesLayer(): FixtureLayer {
  const sizes = [0, 4095, 4096, 4097];
  return {
    tar: tarArchive(sizes.map((size) => tarFile(`file${size}`, Buffer.alloc(size), { mode: 0o700 }))),
    sha256: '79cff667e4a080a88b2b279228358db566980968118d6cfff538867c0b2639f8',
    splitStreamSize: 368,
    splitStreamId: '8e0f713d8b20b94b206730d594f4aaebc94e9aae9ca16a3bdea717155b3b8516',
  };
}

function directories(...names: string[]): Buffer[] {
  return names.map((name) => tarDirectory(name));
}

function busyboxLink(name: string): Buffer {
  return tarSymlink(`usr/bin/${name}`, 'busybox');
}

function pingCapability(): Buffer {
  const value = Buffer.concat([Buffer.from('020000020020', 'hex'), Buffer.alloc(14)]);
  return paxHeader([['SCHILY.xattr.security.capability', value]], {
    name: 'PaxHeader/usr/bin/ping',
    patch: (header) => header.fill(0, 108, 124),
  });
}

/** The two layers of spec 40 §16.2 and §16.3, with their diff_ids. */
export function dataLayers(): { tar: Buffer; sha256: string }[] {
  const parents = directories('./', './usr/', './usr/share/');
  const small = Buffer.from(Array.from({ length: 10 }, (_, i) => i));
  const large = Buffer.from(Array.from({ length: 131072 }, (_, i) => i % 251));
  return [
    {
      tar: tarArchive([...parents, tarEntry({ name: './usr/share/data_10' }, small)]),
      sha256: 'ff84973b927839664ce38b0b62a8ea2f28a9f571f412e97e35d35bc87fe2ccbd',
    },
    {
      tar: tarArchive([...parents, tarEntry({ name: './usr/share/data_131072' }, large)]),
      sha256: 'a243bcbd0c3eff65b68af7e5401fe88dea6cbc102b079e33454b3b538589269e',
    },
  ];
}
