import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cfsctl } from '../support/cfsctl.js';
import { CfsctlFixtures } from '../support/cfsctl-fixtures.js';
import { fxOci, LayoutBuilder } from '../support/oci-fixtures.js';

/**
 * What a command says that was given something wrong: all lines of the message, its causes and the hint. The arguments
 * are as a shell would split them; `DIR` in the messages is the directory in which all is.
 */
const WRONG: readonly (readonly [command: string, ...lines: string[]])[] = [
  [
    '--repo nowhere oci images',
    'Error: opening repository nowhere',
    `ENOENT: no such file or directory, open 'DIR/nowhere'`,
    'hint: make a repository there with `cfsctl init`, or name another one: --repo, --user, --system, COMPOSEFS_REPO',
  ],
  [
    '--repo file oci images',
    'Error: opening repository file',
    `ENOTDIR: not a directory, open 'DIR/file'`,
    'hint: a repository is a directory: name another one with --repo, --user, --system or COMPOSEFS_REPO',
  ],
  [
    '--repo empty oci images',
    'Error: no meta.json in empty; tried to infer algorithm from objects',
    '0: opening objects/ directory',
    '1: openat2 DIR/empty/objects: No such file or directory (os error 2)',
    'hint: make a repository there with `cfsctl init`, or name another one: --repo, --user, --system, COMPOSEFS_REPO',
  ],
  [`--repo '' oci images`, `error: a value is required for '--repo <REPO>' but none was supplied`],
  [`init ''`, `error: a value is required for '[PATH]' but none was supplied`],
  ['init file', 'Error: Initializing repository at file', `ENOTDIR: not a directory, open 'DIR/file'`],
  [
    '--hash sha256 oci images',
    'Error: repository is configured for fsverity-sha512-12 (from meta.json) but --hash sha256 was specified',
  ],
  [
    '--require-verity oci images',
    'Error: repository was not initialized with fs-verity',
    'hint: re-create with `cfsctl init` on a verity-capable filesystem',
  ],
  [
    'cat nothing',
    `Error: Merging splitstream 'nothing'`,
    `0: Opening stream 'nothing'`,
    `1: ENOENT: no such file or directory, open 'DIR/repo/streams/nothing'`,
    'hint: a stream is named as in streams/ of the repository, or by the digest of the manifest, config, layer or blob in it',
  ],
  [`cat ''`, `error: a value is required for '<NAME>' but none was supplied`],
  [
    'image-objects nothing',
    `Error: Collecting objects for image 'nothing'`,
    `0: Opening image 'nothing'`,
    '1: image not found: nothing',
    'hint: `cfsctl images` lists the named images, `cfsctl oci images` the tags',
  ],
  [
    'image-objects 00000000',
    `Error: Collecting objects for image '00000000'`,
    `0: Opening image '00000000'`,
    '1: image not found: 00000000',
    'hint: `cfsctl images` lists the named images, `cfsctl oci images` the tags',
  ],
  [
    'dump-files nothing /etc',
    `Error: Opening image 'nothing'`,
    'image not found: nothing',
    'hint: `cfsctl images` lists the named images, `cfsctl oci images` the tags',
  ],
  [
    'mount nothing empty',
    `Error: Mounting image 'nothing' at empty`,
    `0: Opening image 'nothing'`,
    '1: image not found: nothing',
    'hint: `cfsctl images` lists the named images, `cfsctl oci images` the tags',
  ],
  [
    'oci mount nothing empty',
    'Error: OCI reference not found: nothing',
    'hint: list the tags of the repository with `cfsctl oci images`',
  ],
  [
    'oci mount app nowhere',
    `Error: Mounting image 'd06f1f6a73f62ed48e05ce9442ff045cdf2a9f5ba1ec623795de3d6177a253d91076459795d94f55d8c3d71dab458bb3fc0071255a50c0a4896d86ffdc870b9a' at nowhere`,
    `ENOENT: no such file or directory, stat 'nowhere'`,
    'hint: make the directory nowhere first',
  ],
  [
    'oci mount app file',
    `Error: Mounting image 'd06f1f6a73f62ed48e05ce9442ff045cdf2a9f5ba1ec623795de3d6177a253d91076459795d94f55d8c3d71dab458bb3fc0071255a50c0a4896d86ffdc870b9a' at file`,
    'file is not a directory',
    'hint: a mount point is a directory',
  ],
  [`oci mount app ''`, `error: a value is required for '<MOUNTPOINT>' but none was supplied`],
  [`oci mount '' empty`, `error: a value is required for '<IMAGE>' but none was supplied`],
  [
    'oci mount app empty --upperdir nowhere --workdir empty',
    `Error: Mounting image 'd06f1f6a73f62ed48e05ce9442ff045cdf2a9f5ba1ec623795de3d6177a253d91076459795d94f55d8c3d71dab458bb3fc0071255a50c0a4896d86ffdc870b9a' at empty`,
    `0: Opening upperdir 'nowhere'`,
    `1: ENOENT: no such file or directory, open 'nowhere'`,
  ],
  ['umount nowhere', 'Error: Resolving nowhere', `ENOENT: no such file or directory, realpath 'DIR/nowhere'`],
  [
    'umount empty',
    'Error: empty is not a mount point',
    'hint: findmnt shows what is mounted; a mount made inside of `cfsctl unshare` is only seen there',
  ],
  [`umount ''`, `error: a value is required for '<MOUNTPOINT>' but none was supplied`],
  [
    'create-image nowhere',
    'Error: Reading container root nowhere',
    '0: Scanning directory "nowhere"',
    `1: ENOENT: no such file or directory, open 'nowhere'`,
  ],
  [
    'create-image file',
    'Error: Reading container root file',
    '0: Scanning directory "file"',
    `1: ENOTDIR: not a directory, open 'file'`,
  ],
  [`create-image ''`, `error: a value is required for '<PATH>' but none was supplied`],
  ['create-image empty a/../b', 'Error: invalid reference name "a/../b": it has the component ..'],
  [`oci pull ''`, `error: a value is required for '<IMAGE>' but none was supplied`],
  [
    'oci pull layout:',
    'Error: Parsing image reference transport',
    'Invalid transport: layout',
    'hint: Name the transport of the image: docker://HOST/NAME:TAG, oci:DIRECTORY:TAG, oci-archive:FILE, docker-archive:FILE, dir:DIRECTORY, containers-storage:NAME; with skopeo also docker-daemon:NAME:TAG and sif:FILE.',
  ],
  [
    'oci pull ./layout',
    'Error: Parsing image reference transport',
    `Missing ':' in ./layout`,
    'hint: It is an OCI layout: oci:./layout[:TAG].',
  ],
  [
    'oci pull ./file',
    'Error: Parsing image reference transport',
    `Missing ':' in ./file`,
    `hint: If it is an archive: oci-archive:./file, or docker-archive:./file if 'docker save' has made it.`,
  ],
  [
    'oci pull ./nowhere',
    'Error: Parsing image reference transport',
    `Missing ':' in ./nowhere`,
    'hint: Name the transport of the image: docker://HOST/NAME:TAG, oci:DIRECTORY:TAG, oci-archive:FILE, docker-archive:FILE, dir:DIRECTORY, containers-storage:NAME; with skopeo also docker-daemon:NAME:TAG and sif:FILE.',
  ],
  [
    'oci pull app:1',
    'Error: Parsing image reference transport',
    'Invalid transport: app',
    'hint: An image in a registry is docker://app:1.',
  ],
  ['oci pull oci:', 'Error: Parsing image reference transport', 'Invalid empty name in oci:'],
  [
    'oci pull oci:nowhere',
    'Error: Importing OCI layout from nowhere',
    '0: Opening OCI layout directory nowhere',
    `1: ENOENT: no such file or directory, open 'nowhere'`,
  ],
  [
    'oci pull oci:file',
    'Error: Importing OCI layout from file',
    '0: Opening OCI layout directory file',
    `1: ENOTDIR: not a directory, open 'file'`,
    'hint: file is a file: if it is an archive, oci-archive:file or docker-archive:file',
  ],
  [
    'oci pull oci:empty',
    'Error: Importing OCI layout from empty',
    '0: Opening OCI directory',
    `1: ENOENT: no such file or directory, lstat 'DIR/empty/blobs'`,
    'hint: empty is no OCI layout: that has index.json, and the blobs in blobs/sha256',
  ],
  [
    'oci pull oci:layout:other',
    'Error: Importing OCI layout from layout',
    '0: Resolving manifest for platform',
    `1: Tag 'other' not found in image index`,
    'hint: The index has no tags.',
  ],
  [
    'oci pull oci-archive:empty',
    'Error: Importing OCI layout from empty',
    '0: Opening OCI archive empty',
    '1: empty is not a regular file',
    'hint: a directory may be oci:empty or dir:empty',
  ],
  [
    'oci pull docker-archive:file',
    'Error: Unable to pull container image docker-archive:file',
    '0: Opening Docker archive file',
    '1: Invalid archive: unexpected end of the file at 4',
  ],
  [
    'oci pull docker-archive:layout',
    'Error: Unable to pull container image docker-archive:layout',
    '0: Opening Docker archive layout',
    '1: layout is not a regular file',
    'hint: a directory may be oci:layout or dir:layout',
  ],
  [
    'oci pull dir:layout',
    'Error: Unable to pull container image dir:layout',
    '0: Reading the manifest of dir:layout',
    '1: Cannot find manifest.json in DIR/layout',
    `2: ENOENT: no such file or directory, open 'DIR/layout/manifest.json'`,
    'hint: This is an OCI layout: oci:DIR/layout',
  ],
  [
    'oci pull --platform linux/none oci:layout x',
    'Error: Importing OCI layout from layout',
    '0: Resolving manifest for platform',
    '1: No manifest found for platform linux/none; available: linux/amd64',
    'hint: Choose what there is with --platform OS/ARCH[/VARIANT].',
  ],
  [
    'oci pull containers-storage:[overlay@nowhere]x',
    'Error: Unable to pull container image containers-storage:[overlay@nowhere]x',
    '0: Opening image',
    `1: invalid reference 'containers-storage:[overlay@nowhere]x': the graph root must be an absolute path`,
    'hint: it is [DRIVER@GRAPHROOT]NAME:TAG, with the brackets, or NAME:TAG, or @ID',
  ],
  [
    'oci pull containers-storage:[overlay@/nowhere]x',
    'Error: Unable to pull container image containers-storage:[overlay@/nowhere]x',
    '0: Opening image',
    '1: Could not open any containers-storage root: storage root not found at /nowhere',
    'hint: name the store in brackets: containers-storage:[overlay@/path/to/storage]NAME, or set CONTAINERS_STORAGE_CONF',
  ],
  [
    'oci pull --signature-policy nowhere oci:layout x',
    'Error: Cannot read the signature policy nowhere',
    `ENOENT: no such file or directory, open 'nowhere'`,
  ],
  [
    'oci pull --registries-conf nowhere docker://localhost:1/x',
    'Error: Unable to pull container image docker://localhost:1/x',
    'nowhere: there is no such file',
  ],
  [`oci tag app ''`, `error: a value is required for '<NAME>' but none was supplied`],
  [
    'oci tag nothing x',
    'Error: OCI reference not found: nothing',
    'hint: list the tags of the repository with `cfsctl oci images`',
  ],
  [
    'oci untag nothing',
    'Error: Failed to remove tag nothing',
    `ENOENT: no such file or directory, unlink 'DIR/repo/streams/refs/oci/nothing'`,
    'hint: list the tags of the repository with `cfsctl oci images`',
  ],
  [
    'oci inspect 12345678',
    'Error: OCI reference not found: 12345678',
    'hint: list the tags of the repository with `cfsctl oci images`',
  ],
  [
    'oci ls app /nothing',
    'Error: /nothing is not in app',
    'hint: `cfsctl oci ls app` lists what is there, `cfsctl oci find` looks for it',
  ],
  [
    'oci ls app /usr/bin/hello/x',
    'Error: /usr/bin/hello/x is not in app',
    'hint: `cfsctl oci ls app` lists what is there, `cfsctl oci find` looks for it',
  ],
  [
    'oci cat app /usr',
    'Error: /usr in app is a directory',
    'hint: `cfsctl oci ls` lists it, `cfsctl oci extract` copies it out',
  ],
  [`oci cat app ''`, `error: a value is required for '<PATH>' but none was supplied`],
  [
    'oci extract app /nothing out',
    'Error: /nothing is not in app',
    'hint: `cfsctl oci ls app` lists what is there, `cfsctl oci find` looks for it',
  ],
  ['oci extract app /usr file', 'Error: file exists already', 'hint: nothing is replaced: name what is not there yet'],
  ['oci extract app /usr nowhere/out', 'Error: there is no directory nowhere to extract to'],
  [
    'oci diff app nothing',
    'Error: nothing is neither a stored image nor a directory',
    'hint: list the tags of the repository with `cfsctl oci images`',
  ],
  [
    'oci diff app ./nowhere',
    'Error: Scanning directory "./nowhere"',
    `ENOENT: no such file or directory, open './nowhere'`,
  ],
  ['oci diff app file', 'Error: file is neither an image nor a directory'],
  [
    'oci explain nothing app',
    'Error: nothing is neither a stored image nor a directory',
    'hint: list the tags of the repository with `cfsctl oci images`',
  ],
  [
    'oci history 12345678',
    'Error: OCI reference not found: 12345678',
    'hint: list the tags of the repository with `cfsctl oci images`',
  ],
  ['oci dump app zz', 'Error: Parsing CONFIG_VERITY', 'Invalid string length'],
  [
    'oci compute-id --bootable app',
    'Error: The image cannot be booted',
    'Directory entry "boot" does not exist',
    'hint: `cfsctl boot check app` says what it lacks',
  ],
  [
    'oci layer nothing',
    `error: invalid value 'nothing' for '<LAYER>': missing ':' in digest`,
    'tip: `cfsctl oci history IMAGE` lists the layers of an image',
  ],
  [
    'oci layer app',
    `error: invalid value 'app' for '<LAYER>': missing ':' in digest`,
    'tip: `cfsctl oci history IMAGE` lists the layers of an image',
  ],
  ['oci export app oci:file', 'Error: file is there and no directory'],
  [
    'oci export app tar:nowhere/app.tar',
    'Error: Writing tar:nowhere/app.tar',
    `ENOENT: no such file or directory, open 'nowhere'`,
  ],
  ['oci export app tar:empty', 'Error: empty exists already', 'hint: only a file can be replaced by a file'],
  [
    'oci export --recompress=none --level 5 app oci:new',
    "Error: no level 5 of the compression 'none': it has no levels",
  ],
  [
    'oci export --recompress=gzip --level 15 app oci:new',
    "Error: no level 15 of the compression 'gzip': it has the levels 1 to 9",
  ],
  [
    'oci export app what:x',
    `error: invalid value 'what:x' for '<TARGET>': 'what:x' is nothing that an image can be exported to`,
    'tip: An image can be exported to oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG], dir:DIRECTORY and tar:FILE; to a registry with `cfsctl oci push`.',
  ],
  [
    'oci export app dir:nowhere/x',
    'Error: Writing dir:nowhere/x',
    `ENOENT: no such file or directory, mkdir 'nowhere/x'`,
  ],
  [
    'oci push app localhost:5000/app',
    `error: invalid value 'localhost:5000/app' for '<TARGET>': 'localhost:5000/app' is no image in a registry`,
    'tip: An image is pushed to docker://HOST[:PORT]/NAME[:TAG]; `cfsctl oci export` writes files and directories.',
  ],
  [
    'oci prepare-boot app --bootdir empty',
    'Error: The image cannot be booted',
    'Directory entry "boot" does not exist',
    'hint: `cfsctl boot check app` says what it lacks',
  ],
  ['boot check app', 'Error: a machine cannot boot from the image'],
  [
    'boot remove os-1 --bootdir nowhere',
    'Error: Opening the boot partition nowhere',
    `ENOENT: no such file or directory, open 'nowhere'`,
  ],
  [
    'boot remove os-1 --bootdir empty',
    'Error: no boot entry "os-1" on empty',
    'hint: none of the entries there names an image',
  ],
  ['boot prune --bootdir file', 'Error: Opening the boot partition file', `ENOTDIR: not a directory, open 'file'`],
  [
    'why nothing',
    'Error: there is no image, stream or object nothing in the repository',
    'hint: name an object, a stream or an image: `cfsctl oci images` lists the tags',
  ],
  [
    'why 0123456789abcdef',
    'Error: there is no object, image or layer 0123456789abcdef in the repository',
    'hint: name an object, a stream or an image: `cfsctl oci images` lists the tags',
  ],
  [
    'why sha256:0000000000000000000000000000000000000000000000000000000000000001',
    'Error: there is no image, config, layer or blob sha256:0000000000000000000000000000000000000000000000000000000000000001 in the repository',
    'hint: name an object, a stream or an image: `cfsctl oci images` lists the tags',
  ],
  [
    'why objects/12/34',
    'Error: there is no objects/12/34 in the repository',
    'hint: name an object, a stream or an image: `cfsctl oci images` lists the tags',
  ],
];

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());
const folder = fixtures.emptyDirectory();
new LayoutBuilder().addImage(fxOci()).write(join(folder, 'layout'));
writeFileSync(join(folder, 'file'), 'text');
mkdirSync(join(folder, 'empty'));
const how = { cwd: folder, env: { COMPOSEFS_REPO: 'repo' } };
assert.equal(cfsctl(['init', '--insecure'], how).status, 0);
assert.equal(cfsctl(['oci', 'pull', 'oci:layout', 'app'], how).status, 0);

for (const [command, ...expected] of WRONG) {
  test(`cfsctl ${command}`, () => {
    const args = command.split(' ').map((word) => (word === "''" ? '' : word));
    const { status, stderr } = cfsctl(args, how);
    assert.notEqual(status, 0);
    const lines = stderr.replaceAll(folder, 'DIR').split('\n');
    const said = lines.map((line) => line.trim());
    const frame = /^(?:|Caused by:|For more information, try '--help'\.)$/;
    assert.deepEqual(
      said.filter((line) => !frame.test(line)),
      expected,
    );
  });
}
