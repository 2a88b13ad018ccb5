import { ComposefsCmdline, imageArguments } from '../../boot/cmdline/composefs-argument.js';
import { type BootEntry, describeBootEntry, type Type1Entry, type Type2Entry } from '../../boot/entries/boot-entry.js';
import { getBootResources } from '../../boot/entries/find.js';
import { bytesOfFile } from '../../boot/formats/file-bytes.js';
import { findSection, getCmdline } from '../../boot/formats/uki.js';
import { entryToWrite, planBootEntry } from '../../boot/write/plan.js';
import { byteStringFromText } from '../../bytes/byte-string.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { Directory } from '../../composefs/tree/inode.js';
import { ComposefsError, causes, errorCode, fullMessage } from '../../errors.js';
import type { DigestMatch } from '../explain/describe-match.js';
import { matchDigest } from '../explain/match-digest.js';
import { notAContainerImage } from '../store/errors.js';
import type { OciImage } from '../store/image.js';
import { isUsableImage } from '../store/link-image.js';
import { type BootBuildOptions, buildBootImages } from './build.js';
import { argumentVersion, originalTree, versionToBoot } from './prepare-boot.js';

/** What {@link checkBoot} compares an image with. */
export interface CheckBootOptions extends BootBuildOptions {
  /** What the boot image is expected to be. A UKI that `prepare-boot` would write says so itself. */
  readonly expected?: ObjectId | undefined;
}

/** Something for which a machine cannot boot from an image. */
export interface BootProblem {
  /** Stable: `NO_SYSROOT`, `NO_BOOT_ENTRIES`, `NO_INITRAMFS`, `WRONG_UKI_DIGEST`, … */
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** What {@link checkBoot} has found. */
export interface BootCheck {
  /** None: `prepareBoot` would make a machine boot from the image, as far as can be known of the image. */
  readonly problems: readonly BootProblem[];
  /** Everything that there is to boot from; the first one that is no addon is what is written. */
  readonly entries: readonly string[];
  readonly entry: string | undefined;
  /** The boot image that a machine would boot, if it can be made. */
  readonly image: ObjectId | undefined;
  /** The format of that image. */
  readonly version: 1 | 2;
  /** Whether it is made, listed and linked. */
  readonly isLinked: boolean;
  /** The kernel argument that names it. */
  readonly argument: string | undefined;
  /** Another digest that was expected, and of what it is the digest. */
  readonly mismatch: { readonly expected: ObjectId; readonly explanation: DigestMatch } | undefined;
}

/** Whether a machine can boot from a stored image, and why not. Nothing is stored. */
export async function checkBoot(
  repo: ReadableRepository,
  image: OciImage,
  options: CheckBootOptions = {},
): Promise<BootCheck> {
  if (!image.isContainerImage()) {
    const { code, message } = notAContainerImage(image.manifestDigest, image.manifest);
    return { ...NOTHING, version: versionToBoot(repo), problems: [{ code, message }] };
  }
  return await new Checker(repo, image, options).check();
}

const NOTHING: Omit<BootCheck, 'problems' | 'version'> = {
  entries: [],
  entry: undefined,
  image: undefined,
  isLinked: false,
  argument: undefined,
  mismatch: undefined,
};

class Checker {
  readonly #repo: ReadableRepository;
  readonly #image: OciImage;
  readonly #options: CheckBootOptions;
  readonly #problems: BootProblem[] = [];

  constructor(repo: ReadableRepository, image: OciImage, options: CheckBootOptions) {
    this.#repo = repo;
    this.#image = image;
    this.#options = options;
  }

  async check(): Promise<BootCheck> {
    const known = { ...NOTHING, version: versionToBoot(this.#repo), problems: this.#problems };
    const tree = await originalTree(this.#repo, this.#image).catch((error: unknown) => {
      this.#addProblem(error);
      return undefined;
    });
    if (tree === undefined) return known;
    this.#checkDirectories(tree);
    const entries = this.#attempt(() => getBootResources(tree, this.#repo.objects)) ?? [];
    const entry = entryToWrite(entries);
    const found = { ...known, entries: entries.map(describeBootEntry), entry: entry && describeBootEntry(entry) };
    const hasTree = this.#problems.length === 0;
    const { id, isLinked } = hasTree ? await this.#bootImage() : { id: undefined, isLinked: false };
    if (id === undefined) return found;
    const karg = new ComposefsCmdline(argumentVersion(this.#repo), this.#repo.algorithm, id, this.#repo.insecure);
    const planned = this.#attempt(() => planBootEntry(entries, this.#repo.objects, { karg }), 'WRONG_UKI_DIGEST');
    if (planned !== undefined || entry?.type === 'type2') this.#checkEntry(entry);
    const expected = this.#options.expected ?? (entry?.type === 'type2' ? this.#embeddedDigest(entry) : undefined);
    const mismatch = expected === undefined || expected === id ? undefined : await this.#explain(expected, id);
    const argument = karg.toCmdlineArg();
    return { ...found, image: id, isLinked, argument, mismatch };
  }

  /** What boot needs to be there in any case, with what would help. */
  #checkDirectories(tree: Directory): void {
    for (const [name, why] of [
      ['usr', 'the system is in it'],
      ['boot', 'it is a mount point'],
      ['sysroot', 'the physical root is mounted there'],
    ] as const) {
      const inode = tree.lookup(byteStringFromText(name));
      if (inode instanceof Directory) continue;
      const what = inode === undefined ? `there is no /${name}` : `/${name} is no directory`;
      const code = `NO_${name.toUpperCase()}`;
      this.#problems.push({ code, message: what, hint: `make a directory /${name} in the image: ${why}` });
    }
  }

  /** The id that `prepareBoot` would name. */
  async #bootImage(): Promise<{ id: ObjectId | undefined; isLinked: boolean }> {
    const version = versionToBoot(this.#repo);
    const linked = this.#image.bootImageRef(version);
    const { layerRules, signal } = this.#options;
    if (linked !== undefined && layerRules === undefined && (await isUsableImage(this.#repo, linked, signal))) {
      return { id: linked, isLinked: true };
    }
    const boot = { xattrs: 'allowlist-only', versions: [version], only: 'none' } as const;
    try {
      const [built] = await buildBootImages(this.#repo, this.#image, boot, this.#options);
      return { id: built?.id, isLinked: false };
    } catch (error) {
      signal?.throwIfAborted();
      this.#addProblem(error);
      return { id: undefined, isLinked: false };
    }
  }

  #checkEntry(entry: BootEntry | undefined): void {
    if (entry?.type === 'type1') this.#checkType1(entry);
    if (entry?.type === 'type2') this.#checkUki(entry);
  }

  #checkType1(type1: Type1Entry): void {
    const name = describeBootEntry(type1);
    if (type1.entry.getValue('efi') !== undefined) return;
    if (type1.entry.getValue('linux') === undefined) {
      this.#problems.push({ code: 'NO_KERNEL', message: `the ${name} names no kernel` });
    }
    if (type1.entry.getValue('initrd') !== undefined) return;
    this.#problems.push({ code: 'NO_INITRAMFS', message: `the ${name} names no initramfs`, hint: INITRAMFS_HINT });
  }

  #checkUki(uki: Type2Entry): void {
    const name = describeBootEntry(uki);
    const bytes = bytesOfFile(uki.file, this.#repo.objects);
    for (const [section, code, what, hint] of [
      ['.linux', 'NO_KERNEL', 'kernel', undefined],
      ['.initrd', 'NO_INITRAMFS', 'initramfs', INITRAMFS_HINT],
    ] as const) {
      try {
        findSection(bytes, section);
      } catch (error) {
        if (errorCode(error) === 'NOT_A_UKI') return;
        this.#problems.push({ code, message: `the ${name} has no ${what}`, hint });
      }
    }
    this.#checkUkiArguments(name, this.#cmdlineOf(uki));
  }

  /** What {@link planBootEntry} does not look at. */
  #checkUkiArguments(name: string, cmdline: string | undefined): void {
    const { algorithm, insecure } = this.#repo;
    const images = cmdline === undefined ? [] : (this.#quietly(() => imageArguments(cmdline)) ?? []);
    const others = images.filter((image) => image.algorithm !== algorithm);
    if (others.length > 0 && others.length === images.length) {
      const message = `the ${name} names an image of ${others[0]?.algorithm}, and the repository has ${algorithm}`;
      this.#problems.push({ code: 'ALGORITHM_MISMATCH', message });
    }
    if (!insecure || images.length === 0 || images.some((image) => image.insecure)) return;
    this.#problems.push({
      code: 'VERITY_REQUIRED',
      message: `the ${name} demands fs-verity, which the repository does not have`,
      hint: 'keep the repository on a file system with fs-verity, or build the UKI with `cfsctl --insecure compute-karg`',
    });
  }

  #cmdlineOf(uki: Type2Entry): string | undefined {
    return this.#quietly(() => getCmdline(bytesOfFile(uki.file, this.#repo.objects)));
  }

  #embeddedDigest(uki: Type2Entry): ObjectId | undefined {
    const cmdline = this.#cmdlineOf(uki);
    if (cmdline === undefined) return undefined;
    return this.#quietly(() => ComposefsCmdline.fromCmdline(cmdline, this.#repo.algorithm)?.digest);
  }

  async #explain(expected: ObjectId, id: ObjectId): Promise<NonNullable<BootCheck['mismatch']>> {
    const isUki = this.#options.expected === undefined;
    const who = isUki ? 'the UKI names' : 'expected is';
    this.#problems.push({
      code: isUki ? 'WRONG_UKI_DIGEST' : 'WRONG_DIGEST',
      message: `${who} the image ${expected}, and the boot image is ${id}`,
    });
    const { layerRules = 'oci', signal } = this.#options;
    const usual = { kind: 'boot', format: versionToBoot(this.#repo), layerRules } as const;
    const explanation = await matchDigest(this.#repo, this.#image, expected, { signal, usual });
    return { expected, explanation };
  }

  /** Undefined, and a problem, if `action` fails; none for a code that is dealt with elsewhere. */
  #attempt<T>(action: () => T, known?: string): T | undefined {
    try {
      return action();
    } catch (error) {
      if (errorCode(error) !== known) this.#addProblem(error);
      return undefined;
    }
  }

  #quietly<T>(action: () => T): T | undefined {
    try {
      return action();
    } catch {
      // Planning the entry says what is wrong with it.
      return undefined;
    }
  }

  #addProblem(error: unknown): void {
    let hint: string | undefined;
    for (const cause of causes(error)) if (cause instanceof ComposefsError) hint ??= cause.hint;
    this.#problems.push({ code: errorCode(error), message: fullMessage(error), hint });
  }
}

const INITRAMFS_HINT = 'without one nothing mounts the image: it needs composefs-setup-root';
