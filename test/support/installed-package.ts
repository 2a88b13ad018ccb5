import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from './paths.js';

/** The package as it is packed, in a folder of its own, where it is used by its name. */
export class InstalledPackage {
  /** The folder, whose modules are ES modules. */
  readonly folder: string;

  /** Packs what is built. The dependencies are those of the checkout. */
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'composefs-oci-test-package-'));
    execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', this.folder], {
      cwd: packageRoot,
    });
    mkdirSync(this.path, { recursive: true });
    const [tarball = ''] = readdirSync(this.folder).filter((name) => name.endsWith('.tgz'));
    execFileSync('tar', ['-xzf', join(this.folder, tarball), '-C', this.path, '--strip-components=1']);
    const { dependencies } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) this.link(name);
    this.link(`@koromix/koffi-linux-${process.arch}`);
    writeFileSync(join(this.folder, 'package.json'), '{"type": "module"}');
  }

  /** Where the package lies in it. */
  get path(): string {
    return join(this.folder, 'node_modules', 'composefs-oci');
  }

  /** Another package, as it lies in the checkout. */
  link(name: string): void {
    const place = join(this.folder, 'node_modules', name);
    mkdirSync(join(place, '..'), { recursive: true });
    symlinkSync(join(packageRoot, 'node_modules', name), place);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
